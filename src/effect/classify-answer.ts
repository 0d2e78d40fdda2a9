import { describe, type Failure } from '../azure/failure.ts';
import { type DataService, type EffectState, SERVICE_WORDS } from './effect.ts';

export interface Seen {
  readonly state: EffectState;
  /** Why it is `unknown`, or Azure's code for `blocked`. */
  readonly why?: string | undefined;
  /** What was asked is gone, or has nothing that could be read: another share or container has to be found. */
  readonly gone?: boolean;
}

/** Of an account whose key is disabled. */
export const KEY_NOT_FOUND = 'KeyVaultEncryptionKeyNotFound';

/** The app has no role to list with: never given, taken away, or given a moment ago. */
export const ROLE_MISSING = 'AuthorizationPermissionMismatch';

/**
 * The refusals of an account whose key cannot be used: the key, its vault, or the identity's access to it is gone
 * (Azure Storage REST reference, "Common REST API error codes").
 */
const BLOCKED = /^KeyVault(EncryptionKeyNotFound|VaultNotFound|AccessTokenCannotBeAcquired)$/i;

/** What to do about inconclusive answers, by Azure's code. */
const ADVICE: Readonly<Record<string, string>> = {
  authorizationfailure: "the account's network rules keep the app out; nothing can be told from here",
};

/**
 * To be given every answer of a list. An answer with 200 may be a refusal all the same, or come from a proxy.
 *
 * @throws with the code that its body has, if any
 */
export function requireList({
  status,
  bodyAsText,
}: {
  readonly status: number;
  readonly bodyAsText?: string | null;
}): void {
  if (status !== 200 || bodyAsText?.includes('<EnumerationResults')) return;
  const [, code = 'NotAList'] = /<Code>(\w+)<\/Code>/.exec(bodyAsText ?? '') ?? [];
  throw Object.assign(new Error('The answer has no list in it; nothing can be told from it.'), {
    statusCode: status,
    code,
  });
}

/** `undefined`: the listing was served. */
export function seen(failure: Failure | undefined, service: DataService): Seen {
  if (!failure) return { state: 'open' };
  if ((failure.status === 403 || failure.status === 200) && BLOCKED.test(failure.code))
    return { state: 'blocked', why: failure.code };
  if (/^(Share|Container)(NotFound|BeingDeleted)$/i.test(failure.code)) {
    const { place } = SERVICE_WORDS[service];
    return { state: 'unknown', why: `${failure.code}: the ${place} is gone; another one is looked for.`, gone: true };
  }
  if (failure.code.toLowerCase() === ROLE_MISSING.toLowerCase()) {
    const role = `the app lacks the role ${SERVICE_WORDS[service].role} on the account; without it nothing can be told`;
    return { state: 'unknown', why: `${ROLE_MISSING}: ${role}.` };
  }
  const advice = ADVICE[failure.code.toLowerCase()];
  return { state: 'unknown', why: advice ? `${failure.code}: ${advice}.` : describe(failure) };
}
