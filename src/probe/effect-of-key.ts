import { withDeadline } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { percentile } from '../formats/percentile.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Revocation } from '../revocation/revocation.ts';
import type { AccountEffect, EffectTime, EffectTimes, KeyEffect } from './effect.ts';
import type { EffectStore } from './effect-store-client.ts';

/** Deadline for reading the record. Milliseconds. */
const READING_MS = 3_000;

/** Effect of a key's last change, as the key's status shows it. */
export interface ShownEffect {
  readonly effect: AccountEffect[];
  /** Times of earlier changes; undefined if the record is unreadable. */
  readonly effectTimes: EffectTimes | undefined;
  readonly warnings: string[];
}

/**
 * Returns the last probe results of each dependent after the last revocation or restore.
 *
 * @param revocation the open revocation, if any
 */
export async function readEffect(
  key: ManagedKey,
  revocation: Revocation | undefined,
  { effects }: { readonly effects: EffectStore },
): Promise<ShownEffect> {
  let recorded: KeyEffect | undefined;
  try {
    recorded = await withDeadline(READING_MS, 'The record was not read', (signal) => effects.read(key, signal));
  } catch (error) {
    const why = describe(describeFailure(error));
    return { effect: [], effectTimes: undefined, warnings: [`The app cannot read the probe results (${why}).`] };
  }

  const effectTimes = sumTimes(recorded?.times ?? []);
  if (!recorded || !isCurrent(recorded, revocation)) return { effect: [], effectTimes, warnings: [] };

  const incomplete = recorded.complete ? [] : ['The app could not find and probe every account that uses the key.'];

  return { effect: recorded.accounts, effectTimes, warnings: incomplete };
}

/** Returns whether the record is about the key's last change; otherwise the accounts' probes follow. */
export function isCurrent({ change }: KeyEffect, open: Revocation | undefined): boolean {
  if (!open) return change.expect === 'open';
  return change.expect === 'blocked' && Date.parse(change.since) === open.revokedOn.getTime();
}

/** Chooses between the results of an account's two services: a blocked service decides. */
export function moreTelling(one: AccountEffect | undefined, other: AccountEffect): AccountEffect {
  const order = ['unknown', 'open', 'blocked'];
  return one && order.indexOf(one.state) >= order.indexOf(other.state) ? one : other;
}

/** Sums the times of each service and kind of change; none for a pair without times. */
export function sumTimes(times: readonly EffectTime[]): EffectTimes {
  return (['file', 'blob'] as const).flatMap((service) =>
    (['blocked', 'open'] as const).flatMap((expect) => {
      const of = times.filter((time) => time.service === service && time.expect === expect);
      return of.length > 0 ? [{ expect, service, ...sumOf(of) }] : [];
    }),
  );
}

function sumOf(times: readonly EffectTime[]): Omit<EffectTimes[number], 'expect' | 'service'> {
  const measured = times.flatMap(({ seconds }) => seconds ?? []);
  const notSeen = times.flatMap(({ seconds, notWithin }) => (seconds === undefined ? (notWithin ?? 0) : []));
  const changes = [...new Set(times.map(({ since }) => since))].sort((a, b) => Date.parse(a) - Date.parse(b));
  const since = changes[0] ?? '';
  const until = changes.at(-1) ?? since;

  return {
    measured: measured.length,
    notSeen: notSeen.length,
    accounts: new Set(times.map(({ account }) => account.toLowerCase())).size,
    changes: changes.length,
    p50Seconds: percentile(measured, 50, notSeen),
    p95Seconds: percentile(measured, 95, notSeen),
    longestSeconds: longest(measured),
    followedSeconds: longest(notSeen),
    since,
    until,
  };
}

function longest(seconds: readonly number[]): number | undefined {
  return seconds.length > 0 ? Math.max(...seconds) : undefined;
}
