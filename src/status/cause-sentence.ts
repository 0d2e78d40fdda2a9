import type { DriftCause } from '../drift/report/report.ts';
import { count, inWords, resourceLabel } from '../keys/short-names.ts';

type SummarizedCause = Pick<DriftCause, 'reason' | 'about' | 'affected' | 'accounts' | 'sample'>;
type Effect = (cause: Pick<DriftCause, 'is' | 'accounts'>, serves: (tail?: string) => string) => string;

interface Parts {
  /** The name of the resource to repair, and of the resource on which. */
  readonly first: string;
  readonly second: string | undefined;
  /** `stfiles01`, `8 accounts` or `3 resources`. */
  readonly affected: string;
  readonly hasAccounts: boolean;
}

/** The sentence of a reason: what is wrong, and the consequence for what it affects. */
const SENTENCES: Readonly<Record<string, (parts: Parts) => string>> = {
  IdentityWithoutRole: ({ first, second = 'its key', affected }) =>
    `${first} ${first === OWN ? 'have' : 'has'} no role on ${second}; ${affected} cannot use ${affectsOne(affected) ? 'its key' : 'their keys'} there`,
  IdentityMissing: ({ first, affected }) => `Identity ${first} does not exist; ${affected} cannot use the key`,
  IdentityDeleted: ({ first, affected }) => `Identity ${first} was deleted; ${affected} cannot use the key`,
  RoleExpires: ({ first, second = 'its key', affected }) =>
    `The role of ${first} on ${second} ends soon; ${affected} would lose the key`,
  RevocationOpen: ({ first }) => `${first} is revoked`,
  KeyDisabled: ({ first, affected }) => `${first} is disabled; the data of ${affected} cannot be read`,
  KeyDeleted: ({ first, affected }) => `${first} was deleted or does not exist; the data of ${affected} cannot be read`,
  KeyExpired: ({ first, affected, hasAccounts }) =>
    hasAccounts
      ? `${affected} ${affectsOne(affected) ? 'uses' : 'use'} an expired version of ${first}`
      : `${first} has expired`,
  NearExpiry: ({ first }) => `${first} expires soon`,
  StaleKeyVersion: ({ first, affected }) => `An older version of ${first} is still used by ${affected}`,
  ScopeLocked: ({ first }) => `A lock keeps the app from moving ${first} to the newest version of its key`,
  DeniedByPolicy: ({ first }) =>
    `Azure Policy denies changes of ${first}; the app cannot move it to the newest version of its key`,
  VersionReverted: ({ first }) => `${first} was pinned back to an older version of its key`,
  EventSubscriptionMissing: ({ first }) => `An event subscription of the vault ${first} is missing`,
  VaultUnreachable: ({ first }) => `The network of ${first} keeps Storage out`,
  ContestedChange: ({ first }) =>
    `${first} was set back to an older key version three times within an hour; the app has stopped repairing it`,
};

/** The effect of a cause on data: whether it can be read and written now. */
const EFFECTS: Readonly<Record<string, Effect>> = {
  // Azure does not document how soon a missing role stops Storage.
  IdentityWithoutRole: () => 'Reads and writes of data fail, or will fail soon',
  ScopeLocked: (_, serves) => serves(', with the older key version'),
  KeyExpired: ({ accounts }, serves) =>
    accounts > 0 ? `${serves()}; no other account can be put on the expired version` : '',
  EventSubscriptionMissing: ({ is }, serves) =>
    `${is.includes('KeyNewVersionCreated') ? 'New key versions' : 'Expiring keys'} are noticed by the hourly check instead of within seconds. ${serves()}`,
  ContestedChange: (_, serves) => serves(', with the older key version'),
};

/**
 * Whether data can still be read and written, for causes whose sentence does not say it.
 *
 * @param isServing whether no account of the fleet is cut off, or suspected to be, by any cause
 */
export function describeEffect(cause: Pick<DriftCause, 'reason' | 'is' | 'accounts'>, isServing: boolean): string {
  const serves = (tail = '') =>
    isServing
      ? `Data can still be read and written${tail}`
      : 'This alone does not keep data from being read or written';
  const effect = EFFECTS[cause.reason]?.(cause, serves);
  return effect ? `${effect}.` : '';
}

/** The next step: the first sentence of the fix, or, if the event names the client, who has to stop. */
export function describeNextStep({
  reason,
  about,
  fix,
  changedBy,
}: Pick<DriftCause, 'reason' | 'about' | 'fix' | 'changedBy'>): string {
  const [step = ''] = splitSentences(fix);
  const { name, objectId, client } = changedBy ?? {};
  const id = objectId ?? client;
  if (reason !== 'ContestedChange' || !(name ?? id)) return step;

  const who =
    name ?? (/^[\w-]+$/.test(id ?? '') ? `that client (\`az ad sp show --id ${id}\` shows its name)` : 'that client');

  return `Stop ${who}, then release ${about.map(resourceLabel).join(', ')}.`;
}

/** The first sentence has the action. The others are for few keys and accounts. */
export function splitSentences(fix: string): readonly string[] {
  return fix.split(/(?<=\.) (?=[A-Z])/);
}

function affectsOne(affected: string): boolean {
  return !/^[\d,]+ \w+s$/.test(affected);
}

/** A cause in one sentence, with names in place of ids. */
export function describeCause(cause: SummarizedCause): string {
  const { reason, about, affected, accounts, sample } = cause;
  const [first, second] = (about.length === 0 && affected === 1 ? sample : about).map(labelOf);
  const which = affectedBy(cause);
  const sentence =
    first === undefined
      ? undefined
      : SENTENCES[reason]?.({ first, second, affected: which, hasAccounts: accounts > 0 });
  if (sentence) return `${sentence}.`;

  const where = [first, second].filter((label) => label && label !== which).join(' on ');

  return `${inWords(reason)}: ${which}${where ? ` (${where})` : ''}.`;
}

/** A system-assigned identity has no name. A cause of several is about their subscription. */
const OWN = 'The own identities of accounts';

function labelOf(id: string): string {
  return /^\/subscriptions\/[^/]+$/.test(id) ? OWN : resourceLabel(id);
}

/** What a cause affects: a single resource by name, or the number of accounts, since accounts serve data. */
function affectedBy({ affected, accounts, sample }: SummarizedCause): string {
  const [one] = accounts === 1 ? listAccounts(sample) : sample;
  if (one && (affected === 1 || accounts === 1)) return resourceLabel(one);
  return accounts > 0 ? count(accounts, 'account') : count(affected, 'resource');
}

/** The storage accounts among resources, including those of scopes. */
export function listAccounts(ids: readonly string[]): readonly string[] {
  return [...new Set(ids.flatMap((id) => /^.*\/storageAccounts\/[^/]+/i.exec(id)?.[0] ?? []))];
}
