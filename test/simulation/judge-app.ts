import type { AuditEntry } from '../../src/audit/record.ts';
import { newestUsableVersion } from '../../src/keys/key-versions.ts';
import { openRevocation } from '../../src/revocation/revocation.ts';
import { KEY } from '../support/keys.ts';
import { OTHER } from './app-scenario.ts';
import { PEOPLE } from './forged-message.ts';
import type { MemoryFleet } from './memory-fleet.ts';
import type { MemoryVault } from './memory-vault.ts';

/** By so much clocks may differ, and so long may what was begun go on. Milliseconds. */
export const CLOCKS_MS = 5 * 60_000;
export const BEGUN_MS = 3 * 60_000;

/** The app when nothing more happens. */
export interface AtRest {
  readonly entries: readonly AuditEntry[];
  readonly vault: MemoryVault;
  readonly fleet: MemoryFleet;
  /** The key that a re-key moves to. */
  readonly other: MemoryVault;
  readonly now: Date;
  /** How often a caller has asked for a restore. */
  readonly restores: number;
  /** What callers have asked for of the key, in turn, and what the last answer has proved. */
  readonly asked: readonly ('revoke' | 'restore')[];
  readonly ended: 'revoked' | 'restored' | undefined;
  /** Versions that the app has made, and how many it had to. */
  readonly made: number;
  readonly wanted: number;
  /** Names of accounts that may stay where they are. */
  readonly exempt: readonly string[];
}

/** @throws Error that says what does not hold */
export function judgeAtRest(rest: AtRest): void {
  const { entries, vault, now, restores, made, wanted } = rest;
  const ids = entries.flatMap(({ id }) => id ?? []);
  for (const id of new Set(ids)) {
    // Whoever restores twice at the same moment is on record twice: each of the calls did a part.
    const most = id.startsWith('key.restore/') ? Math.max(restores, 1) : 1;
    const count = ids.filter((other) => other === id).length;
    if (count > most) throw new Error(`${id} is recorded ${count} times.`);
  }
  judgeNames(rest);
  judgeOpen(rest);
  if (openRevocation(vault.versions, now)) {
    const enabled = vault.versions.filter((version) => version.enabled);
    if (enabled.length > 0) throw new Error('A revocation is open at rest, and a version is enabled.');
    return;
  }
  judgeMoves(rest);
  if (made !== wanted) throw new Error(`The app made ${made} versions, and ${wanted} were needed.`);
}

/** Who revoked and who restored is on record as they were, whatever a message has claimed. */
function judgeNames({ entries }: AtRest): void {
  const callers = { 'key.revoke': PEOPLE[0], 'key.restore': PEOPLE[1] } as const;
  for (const { action, reason, caller } of entries) {
    if (action !== 'key.revoke' && action !== 'key.restore') continue;
    const by = caller?.objectId;
    if (by !== callers[action]) throw new Error(`${action} (${reason}) is on record in the name of ${by}.`);
  }
}

/** What no caller has asked for has not been done. */
function judgeOpen({ vault, now, asked, ended }: AtRest): void {
  const open = openRevocation(vault.versions, now);
  if (asked.length === 0 && open) throw new Error(`Nobody has revoked the key, and a revocation is open: ${open.id}.`);
  if (asked.at(-1) === 'revoke' && ended === 'revoked' && !open) throw new Error('Revoked, and at rest it is not.');
  if (!asked.includes('restore') && ended === 'revoked' && open?.revokedBy !== PEOPLE[0])
    throw new Error(`Revoked, and at rest the revocation is that of ${open?.revokedBy}.`);
}

/** Every account is on the newest usable version of its key, and what the app has moved is recorded, once. */
function judgeMoves({ entries, vault, other, fleet, now, exempt }: AtRest): void {
  for (const name of fleet.names) {
    const { account, moves, byPeople, changedOn } = fleet.of(name);
    const { keyName, keyVersion, currentVersionedKeyIdentifier: used } = account.encryption.keyVaultProperties ?? {};
    if (keyName !== KEY.name && keyName !== OTHER.name) continue;
    const { versions } = keyName === KEY.name ? vault : other;
    const newest = newestUsableVersion(versions, now)?.version;
    // Storage takes the newest version of all for an automatic account, usable or not: it is left alone then.
    if (keyVersion === '' && !versions.at(-1)?.enabled) continue;
    const order = (one: string | undefined) => versions.findIndex(({ version }) => version === one);
    // A version that is newer than every usable one is not moved back.
    if (newest && !exempt.includes(name) && order(used?.split('/').at(-1)) < order(newest))
      throw new Error(`${name} is left on ${used} at rest.`);
    const recorded = entries.filter(
      ({ action, resource, reason }) =>
        /^account\.(move|rekey)$/.test(action) && resource === account.id && /^(Moved|Refreshed|Rekeyed)$/.test(reason),
    );
    const wrong = byPeople === 0 ? recorded.length !== moves : recorded.length > moves + byPeople;
    const strange = recorded.find(({ details }) => !changedOn.some((on) => isNear(on, String(details?.at))));
    if (strange) throw new Error(`${name} is recorded as moved at ${strange.details?.at}, and nobody moved it then.`);
    if (wrong) throw new Error(`${name} moved ${moves} times, and ${recorded.length} moves are recorded.`);
  }
}

/** Whether a change may be that of a move that was announced then, by a clock that is five minutes off. */
function isNear(on: Date, announced: string): boolean {
  const after = on.getTime() - Date.parse(announced);
  return after >= -CLOCKS_MS && after <= CLOCKS_MS + BEGUN_MS + CLOCKS_MS;
}
