/**
 * The one table of errors: what can go wrong, what an HTTP client is told and whether trying again can help.
 * `errorType` is Prometheus's word for it (https://prometheus.io/docs/prometheus/latest/querying/api/).
 */
export const ERRORS = {
  bad_data: { status: 400, errorType: 'bad_data', retryable: false },
  bad_config: { status: 500, errorType: 'internal', retryable: false },
  unauthorized: { status: 401, errorType: 'unauthorized', retryable: false },
  not_found: { status: 404, errorType: 'not_found', retryable: false },
  body_too_large: { status: 413, errorType: 'bad_data', retryable: false },
  unsupported_media_type: { status: 415, errorType: 'bad_data', retryable: false },
  execution: { status: 422, errorType: 'execution', retryable: false },
  undecided: { status: 422, errorType: 'execution', retryable: false },
  refused: { status: 422, errorType: 'execution', retryable: false },
  unsupported: { status: 422, errorType: 'execution', retryable: false },
  limit: { status: 422, errorType: 'execution', retryable: false },
  // 503 and not 429, which Prometheus's remote write takes for a refusal for good unless it is told otherwise.
  overloaded: { status: 503, errorType: 'unavailable', retryable: true },
  canceled: { status: 499, errorType: 'canceled', retryable: false },
  not_released: { status: 500, errorType: 'internal', retryable: false },
  internal: { status: 500, errorType: 'internal', retryable: false },
  unavailable: { status: 503, errorType: 'unavailable', retryable: true },
  incomplete: { status: 503, errorType: 'unavailable', retryable: true },
  timeout: { status: 503, errorType: 'timeout', retryable: true },
} as const satisfies Record<string, { status: number; errorType: string; retryable: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

/** After this many seconds a sender may try again what is retryable; most back off by themselves from there. */
export const RETRY_AFTER_SECONDS = 5;

/** An error with a code from the table. Its message says what to do next and is meant for people. */
export class ComityError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ComityError';
    this.code = code;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get errorType(): string {
    return ERRORS[this.code].errorType;
  }
}

/** The error itself if it is one of ours, otherwise an `internal` one that wraps it. */
export function toComityError(error: unknown): ComityError {
  if (error instanceof ComityError) return error;
  return new ComityError('internal', messageOf(error), { cause: error });
}

/** What whatever was thrown says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
