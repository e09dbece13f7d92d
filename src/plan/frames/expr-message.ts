/** The Expr message of proto/federation.proto: exactly one member is set. */
export interface ExprMessage {
  number?: number;
  text?: string;
  vector?: SelectorMessage;
  matrix?: { selector: SelectorMessage | null; rangeMs: number };
  subquery?: SubqueryMessage;
  call?: { func: string; args: ExprMessage[] };
  unary?: { op: string; expr: ExprMessage | null };
  binary?: {
    op: string;
    left: ExprMessage | null;
    right: ExprMessage | null;
    returnBool: boolean;
    matching?: MatchingMessage | null;
  };
  aggregate?: {
    op: string;
    expr: ExprMessage | null;
    param?: ExprMessage | null;
    without: boolean;
    grouping: readonly string[];
  };
  once?: { expr: ExprMessage | null };
}

export interface MatcherMessage {
  name: string;
  op: string;
  value: string;
}

export interface SelectorMessage {
  matchers: readonly MatcherMessage[];
  offsetMs: number;
  atMs?: number;
  extended: string;
  statsOnly: boolean;
}

export interface SubqueryMessage {
  expr: ExprMessage | null;
  rangeMs: number;
  stepMs: number;
  offsetMs: number;
  atMs?: number;
}

export interface MatchingMessage {
  card: string;
  on: boolean;
  labels: readonly string[];
  include: readonly string[];
  fillLeft?: number;
  fillRight?: number;
}
