/** A question that a dashboard or a rule file asks. */
export interface FoundQuestion {
  /** Where it stands: panel, group and rule, variable. */
  readonly place: string;
  /** 1-based; of YAML only. */
  readonly line?: number;
  /** As it stands in the file. */
  readonly query: string;
  /** The same without variables. */
  readonly asked: string;
  /** What is asked: PromQL at one time or at steps, or the values of a label (`label` empty for label names). */
  readonly kind: 'instant' | 'range' | 'labels';
  readonly label?: string;
  /** Turns text made of `asked` back into one with the variables. */
  restore(text: string): string;
}

/** What a file holds. */
export interface FoundFile {
  readonly questions: readonly FoundQuestion[];
  /** Queries that are no PromQL: how many of each kind of data source. */
  readonly others: ReadonlyMap<string, number>;
  /** What could not be read, and why. */
  readonly unread: readonly string[];
}

/** Files with more questions are no dashboards. */
export const QUESTIONS_MAX = 10_000;
