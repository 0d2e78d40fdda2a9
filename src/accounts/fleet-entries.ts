import { createHash } from 'node:crypto';
import type { Account, Scope } from '../fleet/account.ts';
import type { FleetAccount, FleetChange, FleetOutcome, FleetUse, UnaskedAccount } from '../fleet/fleet-index.ts';
import { accountKeyUse, type KeyUse, scopeKeyUse } from '../fleet/key-use.ts';
import { formatKeyIdentifier, parseKeyIdentifier, sameKeyName } from '../keys/key-identifier.ts';
import type { Reason } from '../reasons.ts';
import { hasBeenSince } from '../time/has-been-since.ts';
import { DAY_MS, HOUR_MS } from '../time/spans.ts';
import type { Outcome } from '../work/outcome.ts';

type SeenScope = Pick<Scope, 'name' | 'keyUri' | 'currentKeyId'>;

/** An account as it was read. */
export interface SeenAccount {
  readonly account: Account;
  /** Its encryption scopes that use a key; undefined: they were not asked for. */
  readonly scopes: readonly SeenScope[] | undefined;
  /** When the list of them began; absent: just now. */
  readonly scopesReadOn?: Date | undefined;
}

/** The tag by which accounts are moved one wave after the other. */
const WAVE_TAG = 'cmk-wave';
/** Table Storage holds 32,768 characters, a tag 256. */
const MOST_WAVE = 256;
/** What has not changed is written again after so long, at a time of its own: what was lost or spoilt lasts no longer. */
const REWRITE_MS = DAY_MS;
const REWRITE_SPREAD_MS = 6 * HOUR_MS;

/** What an account, read anew, changes of what is kept of it. Nothing changes: nothing is written. */
export function changesOf(
  seen: SeenAccount,
  known: FleetAccount | undefined,
  now: Date,
  /** Whether what is kept may be wrong or missing although it is known. */
  distrust = false,
): FleetChange[] {
  const { account, scopes, scopesReadOn = now } = seen;
  const readOn = now.toISOString();
  const scopesKnown = scopes ? (scopes.length > 0 ? 'some' : 'none') : known?.scopes;
  const entry = { account: account.id, location: account.location, ...identityOf(account), ...waveOf(account), readOn };
  const ownUse = accountKeyUse(account.encryption);
  const used = ownUse && useOf(ownUse);
  const own = used && { ...used, ...entry, ...(scopesKnown ? { scopes: scopesKnown } : {}) };
  const scoped = (scopes ?? []).flatMap((scope): FleetUse[] => {
    const use = useOfScope(scope);
    return use ? [{ ...use, ...entry, scope: scope.name }] : [];
  });
  const ownDigest = digest([entry.account, entry.location, own, Object.entries(account.tags)]);
  const scopedDigest = scopes ? digest(scoped) : (known?.scoped ?? '');
  const ownDue = distrust || isOld(known?.writtenOn, account, now);
  const ownChanged = ownDue || ownDigest !== known?.own || scopesKnown !== known.scopes;
  const scopesDue = distrust || isOld(known?.scopesReadOn, account, now);
  const scopedChanged = scopes !== undefined && (scopesDue || scopedDigest !== known?.scoped);
  if (!ownChanged && !scopedChanged) return [];

  const scopeUses = scopes ? scoped.map(({ scope = '', key }) => ({ scope, key })) : (known?.scopeUses ?? []);
  const record: FleetAccount = {
    account: account.id,
    location: account.location,
    ...(own ? { key: own.key } : {}),
    tags: account.tags,
    scopeUses,
    own: ownDigest,
    scoped: scopedDigest,
    writtenOn: known && !ownChanged ? known.writtenOn : readOn,
    ...(scopesKnown
      ? { scopes: scopesKnown, scopesReadOn: scopes ? scopesReadOn.toISOString() : (known?.scopesReadOn ?? readOn) }
      : {}),
  };
  return [
    ...(own && ownChanged ? [{ put: 'use' as const, use: own }] : []),
    ...(scopedChanged ? scoped.map((use) => ({ put: 'use' as const, use })) : []),
    ...goneUses(known, record),
    { put: 'account', account: record },
    ...unaskedChange(record, known, { ownDue, isAsked: scopes !== undefined, distrust }),
  ];
}

/** What an account that was asked for its scopes changes: nothing else of it was read. */
export function changesOfAsked(
  { account, location, key }: UnaskedAccount,
  listed: readonly SeenScope[],
  now: Date,
): FleetChange[] {
  const readOn = now.toISOString();
  const scopes = listed.length > 0 ? 'some' : 'none';
  const uses = listed.flatMap((scope): FleetUse[] => {
    const use = useOfScope(scope);
    return use ? [{ ...use, account, location, readOn, scope: scope.name }] : [];
  });
  const scopeUses = uses.map((use) => ({ scope: use.scope ?? '', key: use.key }));
  // Of the next listing, which knows the identity and the tags too, this is another one.
  const known = { account, scopes, scopesReadOn: readOn, scopeUses, scoped: '' } as const;
  return [
    ...uses.map((use) => ({ put: 'use' as const, use })),
    { put: 'scopes', account: known },
    ...(key ? [{ put: 'hint' as const, of: { key, account }, scopes } as const] : []),
    { drop: 'unasked', account },
  ];
}

/** What an account that is gone changes. */
export function changesOfGone(known: FleetAccount): FleetChange[] {
  return [
    ...usesOf(known).map((of) => ({ drop: 'use' as const, of })),
    { drop: 'account', account: known.account },
    { drop: 'unasked', account: known.account },
  ];
}

/** Uses that were known, and are not any more. */
function goneUses(known: FleetAccount | undefined, record: FleetAccount): FleetChange[] {
  const now = usesOf(record);
  return (known ? usesOf(known) : [])
    .filter(({ key, scope }) => !now.some((use) => use.scope === scope && sameKeyName(use.key, key)))
    .map((of) => ({ drop: 'use', of }));
}

function usesOf({ account, key, scopeUses }: FleetAccount): { key: string; account: string; scope?: string }[] {
  return [...(key ? [{ key, account }] : []), ...scopeUses.map((use) => ({ account, ...use }))];
}

/** What never was, or cannot be believed, is asked for. */
function unaskedChange(
  record: FleetAccount,
  known: FleetAccount | undefined,
  { ownDue, isAsked, distrust }: { readonly ownDue: boolean; readonly isAsked: boolean; readonly distrust: boolean },
): FleetChange[] {
  const { account, location, key, scopes, scopeUses } = record;
  const isLost = distrust && !isAsked && scopeUses.length > 0;
  if (scopes === undefined ? ownDue : isLost) {
    return [{ put: 'unasked', account: { account, location, ...(key ? { key } : {}) } }];
  }
  return scopes !== undefined && (known?.scopes === undefined || distrust) ? [{ drop: 'unasked', account }] : [];
}

type Used = Pick<FleetUse, 'key' | 'mode' | 'pinned' | 'current'>;

/** Undefined for a name that no key can have: it may have been written by hand. */
function useOf(use: KeyUse): Used | undefined {
  const { pinned, current } = use;
  const key = formatKeyIdentifier(use);
  const mode = pinned === undefined ? 'automatic' : 'pinned';
  if (!parseKeyIdentifier(key)) return undefined;
  return { key, mode, ...(pinned ? { pinned } : {}), ...(current ? { current } : {}) };
}

function useOfScope(scope: SeenScope): Used | undefined {
  const use = scopeKeyUse(scope);
  return use && useOf(use);
}

function identityOf({ encryption }: Account): Pick<FleetUse, 'identity'> {
  const identity = encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  return identity ? { identity } : {};
}

function waveOf({ tags }: Account): Pick<FleetUse, 'wave'> {
  const wave = Object.entries(tags).find(([name]) => name.toLowerCase() === WAVE_TAG)?.[1];
  return wave ? { wave: wave.slice(0, MOST_WAVE) } : {};
}

/** Of what is kept, but for when it was read. */
function digest(of: unknown): string {
  const text = JSON.stringify(of, (name, value: unknown) =>
    name === 'readOn' || name === 'scopes' ? undefined : value,
  );
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

/** Whether it is time to write again what was written then. */
function isOld(writtenOn: string | undefined, { id }: Account, now: Date): boolean {
  const slot = createHash('sha256').update(id.toLowerCase()).digest().readUInt32BE(0) / 2 ** 32;
  return !hasBeenSince(writtenOn, now.getTime() - REWRITE_MS + slot * REWRITE_SPREAD_MS, now);
}

/** The outcome of a reconcile pass as the index keeps it. @param logged reason of the last log record about the use */
export function fleetOutcome(outcome: Outcome, logged: Reason | undefined, now: Date): FleetOutcome {
  const at = now.toISOString();
  if (outcome.outcome === 'done') return { result: 'done', reason: logged ?? 'UpToDate', at };
  return { result: outcome.outcome, reason: outcome.reason, detail: outcome.detail, at };
}
