import { accountKeyUse, type KeyUse, scopeKeyUse, usesKey } from '../accounts/key-use.ts';
import { untilAborted } from '../azure/deadline.ts';
import { parseResourceId } from '../azure/resource-id.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { type BlastRadiusServices, readBlastRadius } from './blast-radius.ts';
import { Parts } from './gathering.ts';
import { limited } from './limit.ts';

/** Who uses which version of a key, as far as it could be read. */
export interface VersionUsers {
  readonly uses: readonly VersionUse[];
  /** What is not known, one sentence each; empty: everything is. */
  readonly gaps: readonly string[];
}

export interface VersionUse {
  /** ARM id of an account, of an encryption scope or of another resource. */
  readonly who: string;
  /** Lower case: the version it is held at, and the one that it shows to be in use. */
  readonly versions: readonly string[];
}

/** Accounts that are read at the same time. */
const CONCURRENCY = 8;

/**
 * Who uses which version of a key: everything that depends on it is found, and each account is read once more by itself,
 * with its encryption scopes. It never throws: what could not be read, or does not tell, is a gap. When the signal aborts
 * it returns at once, with what was under way among the gaps.
 */
export async function readVersionUsers(
  key: ManagedKey,
  services: BlastRadiusServices,
  signal?: AbortSignal,
): Promise<VersionUsers> {
  const radius = await readBlastRadius(key, services, signal ? { signal } : {});
  const uses: VersionUse[] = [];
  const gaps: string[] = [];
  for (const { id, uses: named } of radius.otherResources) {
    const versions = named.flatMap(({ version }) => version ?? []);
    // Which version it is on is not told, and its service moves when it likes.
    if (versions.length < named.length) gaps.push(`${id} uses the key without naming a version.`);
    uses.push({ who: id, versions });
  }

  const add = (who: string, use: KeyUse | undefined): void => {
    if (!usesKey(use, key)) return;
    const { pinned, current } = use;
    // Azure does not say where it stands.
    if (current === undefined) gaps.push(`${who} does not show the version in use.`);
    uses.push({ who, versions: [...new Set([pinned, current].flatMap((version) => version ?? []))] });
  };
  const parts = new Parts(signal);
  const limit = limited(CONCURRENCY);
  const readAccount = async (id: string): Promise<void> => {
    const account = parseResourceId(id);
    if (!account) throw new TypeError(`${id} is not an ARM id.`);
    add(id, accountKeyUse((await services.accounts.get(account)).encryption));
    for await (const scope of services.accounts.listScopes(account, signal)) {
      add(`${id}/encryptionScopes/${scope.name}`, scopeKeyUse(scope));
    }
  };
  const reading = radius.accounts.map(({ id }) => parts.read(id, 'Unreadable', () => limit(() => readAccount(id))));
  await untilAborted(Promise.all(reading), signal);

  const unread = [...radius.unread, ...parts.missing()].map(({ what, detail }) => `${what}: ${detail}`);
  // Copies: what is late goes on adding.
  return { uses: [...uses], gaps: [...gaps, ...unread] };
}
