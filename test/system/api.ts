import type { Coverage } from '../../src/coverage/coverage.ts';

/** `data` of an answer to a query. */
export interface QueryData {
  readonly resultType: string;
  readonly result: readonly {
    readonly metric: Readonly<Record<string, string>>;
    readonly value: readonly [number, string];
    readonly values: readonly (readonly [number, string])[];
  }[];
  readonly coverage: Coverage;
}

/** What the hub answered. Members that an answer lacks are undefined, whatever the type says: tests look at them. */
export interface ApiReply<Data> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: {
    readonly status: string;
    readonly errorType: string;
    readonly error: string;
    readonly warnings: readonly string[];
    readonly infos?: readonly string[];
    readonly data: Data;
  };
}

/** Calls a path of a hub's API with parameters in the URL. */
export async function callApi<Data = QueryData>(
  hubUrl: string,
  path: string,
  params: Readonly<Record<string, string>> = {},
  init: RequestInit = {},
): Promise<ApiReply<Data>> {
  const search = new URLSearchParams(params).toString();
  const response = await fetch(`${hubUrl}${path}${search === '' ? '' : `?${search}`}`, init);
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  const body = (isJson ? JSON.parse(text) : {}) as ApiReply<Data>['body'];
  return { status: response.status, headers: response.headers, text, body };
}
