import type { Subscriptions } from '../accounts/subscriptions-client.ts';
import { withDeadline } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Revocation } from '../revocation/revocation.ts';
import type { Settings } from '../settings/settings.ts';
import type { AccountEffect, KeyEffect } from './effect.ts';
import type { EffectStore } from './effect-store-client.ts';
import { type DataServices, probe } from './probe.ts';
import { findProbeTargets, type PlaceLists, withoutEmpty } from './probe-targets.ts';
import { type EffectTimes, sumTimes } from './sum-times.ts';

/** Time for reading what was recorded; and, without a record, for finding the accounts and asking them. Milliseconds. */
const READING_MS = 3_000;
const FINDING_MS = 2_500;
const ASKING_MS = 2_500;

type EffectServices = PlaceLists &
  DataServices & {
    readonly settings: Settings;
    readonly effects: EffectStore;
    readonly accounts: StorageAccounts;
    readonly subscriptions: Subscriptions;
    readonly now: () => Date;
  };

interface Effect {
  readonly accounts: readonly AccountEffect[];
  /** Of earlier changes; undefined: they cannot be read now. */
  readonly times: EffectTimes | undefined;
  readonly warnings: string[];
}

/**
 * Whether the services of each dependent serve data, as it was last followed. When nothing is on record, or the
 * record is about an earlier change of the key (the app's storage was out of reach meanwhile, say), they are asked now.
 *
 * @param revocation the open one, if any; if it cannot be read, that error is thrown
 */
export async function readEffect(
  key: ManagedKey,
  revocation: Promise<Revocation | undefined>,
  services: EffectServices,
): Promise<Effect> {
  const [record, open] = await Promise.all([readRecord(key, services), revocation]);
  const recorded = 'unread' in record ? undefined : record.recorded;
  const times = 'unread' in record ? undefined : sumTimes(recorded?.times ?? []);
  if (recorded && isCurrent(recorded, open)) {
    const incomplete = recorded.complete ? [] : ['Not every account that uses the key could be found and followed.'];
    return { accounts: recorded.accounts, times, warnings: incomplete };
  }
  const unread = 'unread' in record ? [`What was followed so far cannot be read (${record.unread}); asked anew.`] : [];
  const live = await askNow(key, services);
  return { accounts: live.accounts, times, warnings: [...unread, ...live.warnings] };
}

function isCurrent({ change }: KeyEffect, open: Revocation | undefined): boolean {
  if (!open) return change.expect === 'open';
  return change.expect === 'blocked' && Date.parse(change.since) === open.revokedOn.getTime();
}

type Recorded = { readonly recorded: KeyEffect | undefined } | { readonly unread: string };

async function readRecord(key: ManagedKey, { effects }: Pick<EffectServices, 'effects'>): Promise<Recorded> {
  try {
    return { recorded: await withDeadline(READING_MS, 'It was not read', (signal) => effects.read(key, signal)) };
  } catch (error) {
    return { unread: describe(describeFailure(error)) };
  }
}

async function askNow(key: ManagedKey, services: EffectServices): Promise<Omit<Effect, 'times'>> {
  const { targets, complete } = await findProbeTargets(key, services, FINDING_MS);
  const results = await probe(withoutEmpty(targets), services, ASKING_MS);
  const accounts = results.map(({ gone: _, checkedOn, ...shown }) => {
    const at = checkedOn.toISOString();
    return { ...shown, since: at, checkedOn: at };
  });
  return { accounts, warnings: complete ? [] : ['Not every account that uses the key could be found and asked.'] };
}
