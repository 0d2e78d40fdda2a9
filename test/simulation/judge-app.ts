import type { AuditEntry } from '../../src/audit/record.ts';
import { newestUsableVersion } from '../../src/keys/key-versions.ts';
import { openRevocation } from '../../src/revocation/revocation.ts';
import { KEY } from '../support/keys.ts';
import type { MemoryFleet } from './memory-fleet.ts';
import type { MemoryVault } from './memory-vault.ts';

/** By so much clocks may differ, and so long may what was begun go on. Milliseconds. */
export const CLOCKS_MS = 5 * 60_000;
export const BEGUN_MS = 3 * 60_000;

/** The app when nothing more happens. */
interface AtRest {
  readonly entries: readonly AuditEntry[];
  readonly vault: MemoryVault;
  readonly fleet: MemoryFleet;
  readonly now: Date;
  /** How often a caller has asked for a restore. */
  readonly restores: number;
  /** Versions that the app has made, and how many it had to. */
  readonly made: number;
  readonly wanted: number;
}

/** @throws Error that says what does not hold */
export function judgeAtRest({ entries, vault, fleet, now, restores, made, wanted }: AtRest): void {
  const ids = entries.flatMap(({ id }) => id ?? []);
  for (const id of new Set(ids)) {
    // Whoever restores twice at the same moment is on record twice: each of the calls did a part.
    const most = id.startsWith('key.restore/') ? Math.max(restores, 1) : 1;
    const count = ids.filter((other) => other === id).length;
    if (count > most) throw new Error(`${id} is recorded ${count} times.`);
  }
  if (openRevocation(vault.versions, now)) {
    const enabled = vault.versions.filter((version) => version.enabled);
    if (enabled.length > 0) throw new Error('A revocation is open at rest, and a version is enabled.');
    return;
  }
  const newest = newestUsableVersion(vault.versions, now)?.version;
  for (const name of fleet.names) {
    const { account, moves, byPeople, changedOn } = fleet.of(name);
    const { keyName, keyVersion, currentVersionedKeyIdentifier: used } = account.encryption.keyVaultProperties ?? {};
    if (keyName !== KEY.name) continue;
    // Storage takes the newest version of all for an automatic account, usable or not: it is left alone then.
    if (keyVersion === '' && !vault.versions.at(-1)?.enabled) continue;
    const order = (one: string | undefined) => vault.versions.findIndex(({ version }) => version === one);
    // A version that is newer than every usable one is not moved back.
    if (newest && order(used?.split('/').at(-1)) < order(newest))
      throw new Error(`${name} is left on ${used} at rest.`);
    const recorded = entries.filter(
      ({ action, resource, reason }) =>
        action === 'account.move' && resource === account.id && (reason === 'Moved' || reason === 'Refreshed'),
    );
    const wrong = byPeople === 0 ? recorded.length !== moves : recorded.length > moves + byPeople;
    const strange = recorded.find(({ details }) => !changedOn.some((on) => isNear(on, String(details?.at))));
    if (strange) throw new Error(`${name} is recorded as moved at ${strange.details?.at}, and nobody moved it then.`);
    if (wrong) throw new Error(`${name} moved ${moves} times, and ${recorded.length} moves are recorded.`);
  }
  if (made !== wanted) throw new Error(`The app made ${made} versions, and ${wanted} were needed.`);
}

/** Whether a change may be that of a move that was announced then, by a clock that is five minutes off. */
function isNear(on: Date, announced: string): boolean {
  const after = on.getTime() - Date.parse(announced);
  return after >= -CLOCKS_MS && after <= CLOCKS_MS + BEGUN_MS + CLOCKS_MS;
}
