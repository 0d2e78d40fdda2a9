import pMap from 'p-map';
import { countUnlisted, type InSight } from '../accounts/in-sight.ts';
import { describeError } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { listFormerUses } from '../drift/report/managed-accounts.ts';
import type { AccountMemoryStore, ReportStore } from '../drift/store/drift-storage-client.ts';
import { type FleetAccount, type FleetIndex, listKeysOfAccount } from '../index/fleet-index.ts';
import { formatAccountRow } from '../index/fleet-keys.ts';
import { IndexLimit } from '../index/index-limit.ts';
import type { UseRow, UseRows } from '../index/use-row.ts';
import type { Keys } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { AccountEffect, KeyEffect } from '../probe/effect.ts';
import { isCurrent } from '../probe/effect-of-key.ts';
import type { EffectStore } from '../probe/effect-store-client.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { Settings } from '../settings/settings.ts';
import { groupFindings, type LastCheck } from './last-check.ts';

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
  /** Last probes after the last change of the key, by the ARM id of the account in lower case. */
  readonly probes: ReadonlyMap<string, AccountEffect>;
}

export interface FleetReading extends LastCheck {
  readonly readOn: Date;
  readonly listings: ReadonlyMap<string, Date>;
  /** Readable subscriptions that were never listed, whose accounts are missing. */
  readonly unlisted: number;
  readonly accounts: readonly FleetAccount[];
  /** Uses by the account's own row key. */
  readonly uses: ReadonlyMap<string, readonly UseRow[]>;
  /** Keys by identifier in lower case. */
  readonly keys: ReadonlyMap<string, KeyReading>;
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

  // The versions are read after the index, so that no version of a use seems lost.
  const managed = [...ids.values()].flatMap((id) => settings.vaults.key(id) ?? []);
  const keys = await pMap(managed, (key) => readKey(key, readOn, ports, warn), { concurrency: CONCURRENCY });
  const [check, unlisted] = await Promise.all([checked, ports.inSight().then((ids) => countUnlisted(ids, listings))]);

  return {
    readOn,
    listings,
    unlisted,
    accounts,
    uses: groupUses(uses),
    keys: new Map(keys.map((reading) => [reading.key.id.toLowerCase(), reading])),
    ...check,
    warnings,
  };
}

/** Groups uses by the row key of the account, so that the uses of its scopes are with its own. */
export function groupUses(uses: readonly UseRow[]): FleetReading['uses'] {
  return Map.groupBy(uses, ({ account }) => formatAccountRow(account));
}

const TOO_LARGE =
  'The fleet index is larger than any fleet that the app serves, so this shows only some of the accounts. Find out who else writes to the table cmkfleet, delete the table, and run a drift check, which rebuilds it.';

type Warn = <T>(what: string, otherwise: T, reading: Promise<T>) => Promise<T>;

async function readKey(key: ManagedKey, readOn: Date, { keys, effects }: FleetPorts, warn: Warn): Promise<KeyReading> {
  const [versions, effect] = await Promise.all([
    warn<readonly KeyVersion[] | undefined>(`the versions of ${key.id}`, undefined, keys.listVersions(key)),
    warn(`the effect of ${key.id} on file services`, undefined, effects.read(key)),
  ]);

  return { key, versions, probes: listCurrentProbes(effect, versions, readOn) };
}

/** Probes that saw the last change of the key. Without its versions, the last change is not known, and all count. */
export function listCurrentProbes(
  effect: KeyEffect | undefined,
  versions: readonly KeyVersion[] | undefined,
  now: Date,
): KeyReading['probes'] {
  if (!effect) return new Map();
  if (versions && !isCurrent(effect, openRevocation(versions, now))) return new Map();

  return new Map(effect.accounts.map((probe) => [probe.account.toLowerCase(), probe]));
}

async function readCheck({ driftStorage }: FleetPorts, warn: Warn): Promise<LastCheck> {
  const memory = warn('the list of accounts of the drift check', {}, driftStorage.managedAccounts());
  const report = await warn('the newest drift report', undefined, driftStorage.newest());
  const details = report && (await warn('the findings of the drift check', undefined, driftStorage.details(report)));

  // A report without its findings is useless.
  if (!details) return { report: undefined, findings: new Map(), lastSeen: new Map() };

  return { report, findings: groupFindings(details.findings), lastSeen: listFormerUses(await memory) };
}
