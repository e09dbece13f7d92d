/** Who asks, by the token that it has shown. */
export interface Consumer {
  readonly name: string;
  /** Where an answer goes to. */
  readonly jurisdiction: string;
}

/** A request, for the record of its answer. */
export interface Asked {
  /** Its bytes as they came. */
  readonly body: Uint8Array;
  readonly consumer: Consumer;
}
