import pMap from 'p-map';
import { CONCURRENCY } from '../../azure/limits.ts';
import { readOnce } from '../../azure/read-once.ts';
import { parseResourceId, type ResourceId, toComparableId } from '../../azure/resource-id.ts';
import { isConcerned, type ResourceChange } from '../../events/resource-event.ts';
import type { KnownKeys } from '../../index/fleet-index.ts';
import type { UseRow, UseRows } from '../../index/use-row.ts';
import { isSameKeyName } from '../../keys/key-identifier.ts';
import type { ManagedVault } from '../../keys/managed-vaults.ts';
import type { Settings } from '../../settings/settings.ts';
import { ACCOUNT_CHECKS, VAULT_CHECKS } from '../checks/checks.ts';
import type { Finding } from '../report/report.ts';

/** Maximum number of keys per vault whose users are read. */
const MOST_KEYS = 1_000;

/** A resource to check. */
export type Subject =
  /** `changed`: the account itself changed, so its scopes are listed. */
  | { readonly kind: 'account'; readonly id: string; readonly changed: boolean }
  /** `used`: accounts use its keys, according to the index. */
  | { readonly kind: 'vault'; readonly vault: ManagedVault; readonly used: boolean }
  /** A key that the app revoked or restored. */
  | { readonly kind: 'key'; readonly id: string }
  /** A resource of another service. */
  | { readonly kind: 'keyUser'; readonly id: ResourceId };

/** Reason codes that the check of a subject finds. */
const REASONS_OF: Readonly<Record<Subject['kind'], ReadonlySet<string>>> = {
  account: new Set(ACCOUNT_CHECKS.map(({ reason }) => reason)),
  vault: new Set(VAULT_CHECKS.map(({ reason }) => reason)),
  key: new Set(['RevocationOpen', 'RevokedVersionEnabled']),
  keyUser: new Set(['OtherResourceStale']),
};

/** The subjects of some changes. */
export interface Focus {
  /** By {@link findContainingResource}. */
  readonly subjects: ReadonlyMap<string, Subject>;
  /** Resources of each change, by the id of its event. */
  readonly resourcesOf: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface FocusPorts {
  readonly settings: Pick<Settings, 'vaults' | 'otherDependents'>;
  readonly knownKeys: KnownKeys;
  readonly useRows: Pick<UseRows, 'of'>;
}

/** The account, vault, identity or key that contains an id: `…/storageAccounts/a` for an encryption scope. */
export function findContainingResource(id: string): string {
  const most = id.startsWith('https:') ? 5 : 9;
  return toComparableId(id).split('/').slice(0, most).join('/');
}

export function listOfKind<K extends Subject['kind']>({ subjects }: Focus, kind: K) {
  return [...subjects.values()].filter((one): one is Extract<Subject, { kind: K }> => one.kind === kind);
}

/** Whether a check of the focus would report this finding again, if the finding still applies. */
export function isAbout({ subjects }: Focus, { reason, resource }: Pick<Finding, 'reason' | 'resource'>): boolean {
  const subject = subjects.get(findContainingResource(resource));
  return subject !== undefined && REASONS_OF[subject.kind].has(reason);
}

/**
 * Finds the subjects of changes. The index contains the accounts of a vault or an identity. Throws the SDK's errors.
 */
export async function findFocus(changes: readonly ResourceChange[], ports: FocusPorts): Promise<Focus> {
  const subjects = new Map<string, Subject>();
  const resourcesOf = new Map<string, ReadonlySet<string>>();
  const rows = readOnce(
    (vault: ManagedVault) => readRows(vault, ports),
    ({ uri }) => uri,
  );

  for (const change of changes) {
    const found = await subjectsOf(change, ports, rows.get);
    resourcesOf.set(change.id, new Set(found.keys()));

    for (const [resource, subject] of found) {
      const known = subjects.get(resource);
      if (known?.kind !== 'account' || !known.changed) subjects.set(resource, subject);
    }
  }

  return { subjects, resourcesOf };
}

async function subjectsOf(
  { concern, at }: ResourceChange,
  { settings: { otherDependents, vaults: managed } }: FocusPorts,
  rowsOf: (vault: ManagedVault) => Promise<readonly UseRow[]>,
): Promise<ReadonlyMap<string, Subject>> {
  const { all } = managed;
  const isAt = (resource: string | undefined) => resource !== undefined && isConcerned(resource, at);
  const found = new Map<string, Subject>();
  const keyUser = concern === 'keyUser' && otherDependents !== 'none' ? parseResourceId(at) : undefined;
  if (keyUser) found.set(findContainingResource(at), { kind: 'keyUser', id: keyUser });
  if (concern === 'key') found.set(findContainingResource(at), { kind: 'key', id: at });
  if (concern === 'account') found.set(findContainingResource(at), { kind: 'account', id: at, changed: true });

  const own = /^(vault|group|perimeter)$/.test(concern) ? all.filter((vault) => isAt(vault.id)) : [];
  for (const vault of own) {
    found.set(findContainingResource(vault.id), { kind: 'vault', vault, used: (await rowsOf(vault)).length > 0 });
  }

  // No check of an account depends on the perimeter.
  if (!/^(vault|group|identity|key)$/.test(concern)) return found;

  const around = concern === 'key' ? all.filter(({ uri }) => at.startsWith(`${uri}/`)) : all;
  for (const vault of concern === 'vault' ? own : around) {
    for (const { key, account, identity } of await rowsOf(vault)) {
      if (!own.includes(vault) && !isAt(identity) && !isAt(account) && !isSameKeyName(key, at)) continue;
      found.set(findContainingResource(account), { kind: 'account', id: account, changed: false });
    }
  }

  return found;
}

async function readRows(vault: ManagedVault, { knownKeys, useRows }: FocusPorts): Promise<readonly UseRow[]> {
  const keys = await knownKeys.ofVault(vault.uri, MOST_KEYS);
  return (await pMap(keys, (key) => Array.fromAsync(useRows.of(key)), { concurrency: CONCURRENCY })).flat();
}
