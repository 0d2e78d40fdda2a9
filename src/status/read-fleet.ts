import pMap from 'p-map';
import { countUnlisted, type InSight } from '../accounts/in-sight.ts';
import { describeError } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { listFormerUses } from '../drift/report/managed-accounts.ts';
import type { DriftDetails, DriftReport } from '../drift/report/report.ts';
import type { AccountMemoryStore, ReportStore } from '../drift/store/drift-storage-client.ts';
import { type FleetAccount, type FleetIndex, listKeysOfAccount } from '../index/fleet-index.ts';
import { IndexLimit } from '../index/index-limit.ts';
import type { UseRow, UseRows } from '../index/use-row.ts';
import type { Keys } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { KeyEffect } from '../probe/effect.ts';
import type { EffectStore } from '../probe/effect-store-client.ts';
import type { Settings } from '../settings/settings.ts';

export interface FleetPorts {
  readonly settings: Settings;
  readonly inSight: InSight;
  readonly fleet: Pick<FleetIndex, 'listings' | 'accounts'>;
  readonly useRows: Pick<UseRows, 'of'>;
  readonly keys: Pick<Keys, 'listVersions'>;
  readonly effects: Pick<EffectStore, 'read'>;
  readonly driftStorage: Pick<ReportStore, 'newest' | 'details'> & Pick<AccountMemoryStore, 'managedAccounts'>;
  readonly now: () => Date;
}

export interface KeyReading {
  readonly key: ManagedKey;
  /** Undefined: the app could not read the versions. */
  readonly versions: readonly KeyVersion[] | undefined;
  readonly effect: KeyEffect | undefined;
}

export interface FleetReading {
  readonly readOn: Date;
  readonly listings: ReadonlyMap<string, Date>;
  /** Readable subscriptions that were never listed, whose accounts are missing. */
  readonly unlisted: number;
  readonly accounts: readonly FleetAccount[];
  readonly uses: readonly UseRow[];
  /** Keys by identifier in lower case. */
  readonly keys: ReadonlyMap<string, KeyReading>;
  readonly report: DriftReport | undefined;
  readonly findings: DriftDetails['findings'];
  /** Time and key of the drift check's last read of an account, by the account's name. */
  readonly lastSeen: ReturnType<typeof listFormerUses>;
  readonly warnings: readonly string[];
}

/**
 * Reads the index, the newest drift report, and each key's versions and effect. A failure is an error only for the
 * index, and otherwise a warning.
 *
 * @param limit of what the reading keeps in memory; beyond it, the result has only some of the accounts, and a warning
 * @throws errors of the index
 */
export async function readFleet(ports: FleetPorts, limit = new IndexLimit()): Promise<FleetReading> {
  const { settings, fleet, useRows, now } = ports;
  const warnings: string[] = [];
  const warn = <T>(what: string, otherwise: T, reading: Promise<T>): Promise<T> =>
    reading.catch((error: unknown) => {
      warnings.push(`The app could not read ${what}: ${describeError(error)}`);
      return otherwise;
    });

  const readOn = now();
  const checked = readCheck(ports, warn);

  // Awaited below; until then this handler prevents an unhandled rejection.
  checked.catch(() => {});

  const listings = await fleet.listings();
  const subscriptions = new Set([...listings.keys(), ...(settings.subscriptions ?? [])]);
  const accounts = (
    await pMap(subscriptions, (id) => limit.collect(fleet.accounts(id)), { concurrency: CONCURRENCY })
  ).flat();
  const ids = new Map(accounts.flatMap(listKeysOfAccount).map((key) => [key.toLowerCase(), key]));
  const uses = (await pMap(ids.values(), (key) => limit.collect(useRows.of(key)), { concurrency: CONCURRENCY })).flat();

  if (limit.isExceeded) warnings.push(TOO_LARGE);

  const managed = [...ids.values()].flatMap((id) => settings.vaults.key(id) ?? []);
  const keys = await pMap(managed, (key) => readKey(key, ports, warn), { concurrency: CONCURRENCY });
  const [check, unlisted] = await Promise.all([checked, ports.inSight().then((ids) => countUnlisted(ids, listings))]);

  return {
    readOn,
    listings,
    unlisted,
    accounts,
    uses,
    keys: new Map(keys.map((reading) => [reading.key.id.toLowerCase(), reading])),
    ...check,
    warnings,
  };
}

const TOO_LARGE =
  'The fleet index is larger than any fleet that the app serves, so this shows only some of the accounts. Find out who else writes to the table cmkfleet, delete the table, and run a drift check, which rebuilds it.';

type Warn = <T>(what: string, otherwise: T, reading: Promise<T>) => Promise<T>;

async function readKey(key: ManagedKey, { keys, effects }: FleetPorts, warn: Warn): Promise<KeyReading> {
  const [versions, effect] = await Promise.all([
    warn<readonly KeyVersion[] | undefined>(`the versions of ${key.id}`, undefined, keys.listVersions(key)),
    warn(`the effect of ${key.id} on file services`, undefined, effects.read(key)),
  ]);
  return { key, versions, effect };
}

async function readCheck(
  { driftStorage }: FleetPorts,
  warn: Warn,
): Promise<Pick<FleetReading, 'report' | 'findings' | 'lastSeen'>> {
  const memory = warn('the list of accounts of the drift check', {}, driftStorage.managedAccounts());
  const report = await warn('the newest drift report', undefined, driftStorage.newest());
  const details = report && (await warn('the findings of the drift check', undefined, driftStorage.details(report)));

  // A report without its findings is useless.
  return details
    ? { report, findings: details.findings, lastSeen: listFormerUses(await memory) }
    : { report: undefined, findings: [], lastSeen: new Map() };
}
