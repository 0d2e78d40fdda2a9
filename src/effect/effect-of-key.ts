import { withDeadline } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Revocation } from '../revocation/revocation.ts';
import type { AccountEffect, KeyEffect } from './effect.ts';
import type { EffectStore } from './effect-store-client.ts';
import { type EffectTimes, sumTimes } from './sum-times.ts';

/** Deadline for reading the record. Milliseconds. */
const READING_MS = 3_000;

interface Effect {
  readonly accounts: readonly AccountEffect[];
  /** Times of earlier changes; undefined if the record is unreadable. */
  readonly times: EffectTimes | undefined;
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
): Promise<Effect> {
  let recorded: KeyEffect | undefined;
  try {
    recorded = await withDeadline(READING_MS, 'The record was not read', (signal) => effects.read(key, signal));
  } catch (error) {
    const why = describe(describeFailure(error));
    return { accounts: [], times: undefined, warnings: [`The app cannot read the probe results (${why}).`] };
  }
  const times = sumTimes(recorded?.times ?? []);
  if (!recorded || !isCurrent(recorded, revocation)) return { accounts: [], times, warnings: [] };
  const incomplete = recorded.complete ? [] : ['The app could not find and probe every account that uses the key.'];
  return { accounts: recorded.accounts, times, warnings: incomplete };
}

/** Returns whether the record is about the key's last change; otherwise the accounts' probes follow. */
export function isCurrent({ change }: KeyEffect, open: Revocation | undefined): boolean {
  if (!open) return change.expect === 'open';
  return change.expect === 'blocked' && Date.parse(change.since) === open.revokedOn.getTime();
}
