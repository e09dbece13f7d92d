import Type, { type Static } from 'typebox';
import { resolveBeside } from '../../base/config.ts';
import { ComityError } from '../../base/errors.ts';

const CLOSED = { additionalProperties: false } as const;
const TEXT = Type.Optional(Type.String());

/** How targets of a job are reached, in Prometheus's words. */
export const HTTP_FIELDS = {
  basic_auth: Type.Optional(
    Type.Object({ username: TEXT, username_file: TEXT, password: TEXT, password_file: TEXT }, CLOSED),
  ),
  authorization: Type.Optional(Type.Object({ type: TEXT, credentials: TEXT, credentials_file: TEXT }, CLOSED)),
  bearer_token: TEXT,
  bearer_token_file: TEXT,
  tls_config: Type.Optional(
    Type.Object(
      {
        ca: TEXT,
        ca_file: TEXT,
        cert: TEXT,
        cert_file: TEXT,
        key: TEXT,
        key_file: TEXT,
        server_name: TEXT,
        insecure_skip_verify: Type.Optional(Type.Boolean()),
      },
      CLOSED,
    ),
  ),
  follow_redirects: Type.Optional(Type.Boolean()),
  http_headers: Type.Optional(
    Type.Record(
      Type.String(),
      Type.Object(
        {
          values: Type.Optional(Type.Array(Type.String())),
          secrets: Type.Optional(Type.Array(Type.String())),
          files: Type.Optional(Type.Array(Type.String())),
        },
        CLOSED,
      ),
    ),
  ),
};

const HTTP = Type.Object(HTTP_FIELDS);
type HttpConfig = Static<typeof HTTP>;

/** A text given in place, or the file that holds it: such a file is read for each use, so that it can be rotated. */
export type Secret = { readonly text: string } | { readonly file: string };

/** How to reach the targets of a job. */
export interface HttpOptions {
  readonly basicAuth: { readonly username: Secret; readonly password: Secret } | undefined;
  readonly authorization: { readonly type: string; readonly credentials: Secret } | undefined;
  readonly headers: readonly { readonly name: string; readonly value: Secret }[];
  readonly tls: TlsOptions;
  readonly followRedirects: boolean;
}

/** Certificates and keys are PEM. */
export interface TlsOptions {
  readonly ca: Secret | undefined;
  readonly cert: Secret | undefined;
  readonly key: Secret | undefined;
  /** The name that the certificate must have, when it is not the target's host. */
  readonly serverName: string | undefined;
  readonly insecure: boolean;
}

/** Headers that belong to the connection or to the scrape itself. */
const RESERVED = new Set([
  'accept',
  'accept-encoding',
  'authorization',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'www-authenticate',
  'x-prometheus-scrape-timeout-seconds',
]);

/** Throws `bad_config`; `where` names the job in it. */
export function resolveHttp(raw: HttpConfig, configPath: string, where: string): HttpOptions {
  const secret = (name: string, text: string | undefined, file: string | undefined): Secret | undefined => {
    if (text !== undefined && file !== undefined) refuse(where, `give ${name} or ${name}_file, not both`);
    if (file !== undefined) return { file: resolveBeside(configPath, file) };
    return text === undefined ? undefined : { text };
  };
  const bearer = secret('bearer_token', raw.bearer_token, raw.bearer_token_file);
  const ways = [raw.basic_auth, raw.authorization, bearer].filter((way) => way !== undefined);
  if (ways.length > 1) refuse(where, 'give one of basic_auth, authorization and bearer_token');

  const { basic_auth: basic, authorization, tls_config: tls = {} } = raw;
  const type = authorization?.type?.trim() || 'Bearer';
  if (type.toLowerCase() === 'basic') refuse(where, 'authorization/type cannot be basic, use basic_auth');
  const credentials = secret('credentials', authorization?.credentials, authorization?.credentials_file);
  if (authorization !== undefined && credentials === undefined) {
    refuse(where, 'authorization needs credentials or credentials_file');
  }
  const cert = secret('cert', tls.cert, tls.cert_file);
  const key = secret('key', tls.key, tls.key_file);
  if ((cert === undefined) !== (key === undefined))
    refuse(where, 'tls_config needs a certificate and its key, or neither');

  const none: Secret = { text: '' };
  const shown = credentials ?? bearer;
  return {
    basicAuth: basic && {
      username: secret('username', basic.username, basic.username_file) ?? none,
      password: secret('password', basic.password, basic.password_file) ?? none,
    },
    authorization: shown && { type, credentials: shown },
    headers: Object.entries(raw.http_headers ?? {}).flatMap(([name, { values = [], secrets = [], files = [] }]) => {
      if (RESERVED.has(name.toLowerCase())) refuse(where, `http_headers cannot set ${name}`);
      if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
        refuse(where, `http_headers: ${JSON.stringify(name)} is no header`);
      return [
        ...[...values, ...secrets].map((text) => ({ name, value: { text } })),
        ...files.map((file) => ({ name, value: { file: resolveBeside(configPath, file) } })),
      ];
    }),
    tls: {
      ca: secret('ca', tls.ca, tls.ca_file),
      cert,
      key,
      serverName: tls.server_name,
      insecure: tls.insecure_skip_verify ?? false,
    },
    followRedirects: raw.follow_redirects ?? true,
  };
}

function refuse(where: string, text: string): never {
  throw new ComityError('bad_config', `${where}: ${text}`);
}
