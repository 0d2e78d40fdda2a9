import { CmkError } from '../errors/errors.ts';
import { type Block, findBlock } from './block.ts';

/** Kind of a failed Azure call: it decides whether and when the app retries. */
type FailureKind =
  /** 429, or 503 with Retry-After: the service names the delay. */
  | 'throttled'
  /** 5xx, 408, a network failure, or no token: a retry may succeed. */
  | 'unavailable'
  /** 404 of the requested resource. */
  | 'notFound'
  /** 401 or 403: a permission is missing, or not yet propagated. */
  | 'forbidden'
  /** Azure Policy, a lock or the state of the subscription blocks the request until an administrator acts. */
  | 'blocked'
  /** 409 or 412: another client changed the resource at the same time. */
  | 'conflict'
  /** Any other 4xx: a retry gets the same answer. */
  | 'refused'
  /** Not an answer of Azure. */
  | 'unexpected';

export interface Failure {
  readonly kind: FailureKind;
  readonly status: number | undefined;
  /** Azure's error code (`KeyVaultAuthenticationFailure`), or Node's (`ECONNRESET`). */
  readonly code: string;
  /** Key Vault's inner code, the cause of a 403 (`ForbiddenByRbac`). */
  readonly innerCode?: string;
  /** First line of the message; empty if the SDK does not pass on the service's message. */
  readonly message: string;
  readonly retryAfterSeconds: number | undefined;
  /** What blocks the request; absent for other kinds than `blocked`. */
  readonly block?: Block | undefined;
}

/** The SDKs' own messages for answers whose body they drop: paged lists and the storage services. */
const NO_MESSAGE = /^(?:Pagination failed with unexpected statusCode|Unexpected status code:) \d+$/;

/**
 * Reads any error thrown by an Azure SDK. Checks the error's shape, because the SDKs bundle several copies of their
 * base package and `instanceof` fails across them.
 */
export function describeFailure(error: unknown): Failure {
  const fields = asRecord(error);
  const status = asNumber(fields.statusCode) ?? asNumber(fields.status) ?? asNumber(asRecord(fields.response).status);
  const code = codeOf(fields) ?? (typeof fields.name === 'string' ? fields.name : 'Unknown');
  const innerCode = innerCodeOf(fields);
  const [line = ''] = String(fields.message ?? error).split('\n');
  const message = NO_MESSAGE.test(line) ? '' : line.trim();
  const retryAfterSeconds = retryAfter(fields);
  const block = status === 403 || status === 409 ? findBlock(code, message) : undefined;
  const kind = block ? 'blocked' : kindOf(status, code, fields, retryAfterSeconds);
  return { kind, status, code, ...(innerCode ? { innerCode } : {}), message, retryAfterSeconds, block };
}

function kindOf(
  status: number | undefined,
  code: string,
  fields: Record<string, unknown>,
  retryAfterSeconds: number | undefined,
): FailureKind {
  if (status === 429) return 'throttled';
  if (status === 503 && retryAfterSeconds !== undefined) return 'throttled';
  if (status === undefined) return isTransport(code, fields) ? 'unavailable' : 'unexpected';
  if (status >= 500 || status === 408) return 'unavailable';
  if (status === 404) return 'notFound';
  if (status === 401 || status === 403) return 'forbidden';
  if (status === 409 || status === 412) return 'conflict';

  return 'refused';
}

/** Whether a code of Node or an SDK means that no answer or no token arrived. */
function isTransport(code: string, fields: Record<string, unknown>): boolean {
  const name = String(fields.name);
  return (
    /^(E[A-Z_]+|REQUEST_SEND_ERROR|PARSE_ERROR|UND_ERR_\w+)$/.test(code) ||
    /^(AbortError|TimeoutError|AuthenticationError|AggregateAuthenticationError|CredentialUnavailableError|AuthenticationRequiredError)$/.test(
      name,
    )
  );
}

function codeOf(fields: Record<string, unknown>): string | undefined {
  const body = asRecord(asRecord(fields.details).error ?? fields.details);
  for (const candidate of [body.code, fields.code]) {
    if (typeof candidate === 'string' && candidate !== '') return candidate;
  }
  return undefined;
}

/** The SDK of Key Vault renames the field `innererror` of the body. */
function innerCodeOf(fields: Record<string, unknown>): string | undefined {
  const { code } = asRecord(asRecord(asRecord(fields.details).error).innerError);
  return typeof code === 'string' ? code : undefined;
}

/** Upper limit for `Retry-After` in seconds: Azure's longest documented budget is an hour. */
const MOST_SECONDS = 3_600;

/** Parses Retry-After, which Azure's services send in seconds. */
function retryAfter(fields: Record<string, unknown>): number | undefined {
  const headers = asRecord(asRecord(fields.response).headers) as Record<string, unknown> & Partial<Headers>;
  const header = typeof headers.get === 'function' ? headers.get('retry-after') : headers['retry-after'];
  const seconds = typeof header === 'string' ? Number(header) : Number.NaN;
  return seconds >= 0 ? Math.min(seconds, MOST_SECONDS) : undefined;
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** Whether the same request may succeed later without an operator. */
export function canPass(failure: Failure): boolean {
  return ['throttled', 'unavailable', 'conflict', 'unexpected'].includes(failure.kind);
}

/**
 * Whether a write may still take effect: its answer is lost or is a 5xx, even a 503 with `Retry-After`. Every 4xx is a
 * rejection.
 */
export function canHaveTakenEffect({ kind, status }: Failure): boolean {
  return kind === 'unavailable' || kind === 'unexpected' || status === 503;
}

/** Returns the value read; undefined after a 404. Rethrows every other error. */
export function readUnlessMissing<T>(read: () => Promise<T>): Promise<T | undefined> {
  return readUnless('notFound', read);
}

/** Returns the value read; undefined after a failure of the given kind. Rethrows every other error. */
export async function readUnless<T>(kind: FailureKind, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (describeFailure(error).kind === kind) return undefined;
    throw error;
  }
}

/** Yields the items of a list of an account's parts; none if accounts of its kind cannot have such parts. */
export async function* listUnlessUnsupported<T>(list: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* list;
  } catch (error) {
    if (!/NotSupported|NotAllowedOnKind/i.test(describeFailure(error).code)) throw error;
  }
}

/** `403 AuthorizationFailed: The client … does not have authorization …` */
export function describeAnswerOf({ status, code, message: said, block }: Failure): string {
  const message = block ? `${block.message} ${block.nextStep}` : said;
  // Beside a status, the class of the SDK's error adds nothing.
  const what = [status, status !== undefined && code === 'RestError' ? undefined : code].filter(Boolean).join(' ');
  return (message === '' ? what : `${what}: ${message}`).slice(0, 1_000);
}

/** Missing actions on a linked resource, which only the error's body names, such as an identity. */
interface LinkedRight {
  /** Actions as Azure lists them: `Microsoft.ManagedIdentity/userAssignedIdentities/assign/action`. */
  readonly actions: string;
  readonly scopes: string;
}

/** Parses actions and resource from the error's message, since Azure Resource Manager has no field for them. */
export function parseLinkedRight({ code, message }: Failure): LinkedRight | undefined {
  if (code !== 'LinkedAuthorizationFailed') return undefined;
  const [, actions, scopes] =
    /not have permission to perform action(?:\(s\))? '([^']+)' on the linked scope\(s\) '([^']+)'/.exec(message) ?? [];
  return actions === undefined || scopes === undefined ? undefined : { actions, scopes };
}

/** Text of any error: the app's own message, or the service's message. */
export function describeError(error: unknown): string {
  return error instanceof CmkError ? error.message : describeAnswerOf(describeFailure(error));
}

/** Whether the table does not exist. */
export function isTableMissing(error: unknown): boolean {
  const { status, code, message } = describeFailure(error);
  return status === 404 && /TableNotFound/i.test(`${code} ${message}`);
}
