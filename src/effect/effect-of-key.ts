import { withDeadline } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Revocation } from '../revocation/revocation.ts';
import type { AccountEffect, KeyEffect } from './effect.ts';
import type { EffectStore } from './effect-store-client.ts';
import { type EffectTimes, sumTimes } from './sum-times.ts';

/** Deadline for reading what was recorded. Milliseconds. */
const READING_MS = 3_000;

interface Effect {
  readonly accounts: readonly AccountEffect[];
  /** Of earlier changes; undefined: they cannot be read now. */
  readonly times: EffectTimes | undefined;
  readonly warnings: string[];
}

/**
 * Whether the services of each dependent serve data since the last revocation or restore, as it was last followed.
 *
 * @param revocation the open one, if any
 */
export async function readEffect(
  key: ManagedKey,
  revocation: Revocation | undefined,
  { effects }: { readonly effects: EffectStore },
): Promise<Effect> {
  let recorded: KeyEffect | undefined;
  try {
    recorded = await withDeadline(READING_MS, 'It was not read', (signal) => effects.read(key, signal));
  } catch (error) {
    const why = describe(describeFailure(error));
    return { accounts: [], times: undefined, warnings: [`What was followed so far cannot be read (${why}).`] };
  }
  const times = sumTimes(recorded?.times ?? []);
  if (!recorded || !isCurrent(recorded, revocation)) return { accounts: [], times, warnings: [] };
  const incomplete = recorded.complete ? [] : ['Not every account that uses the key could be found and followed.'];
  return { accounts: recorded.accounts, times, warnings: incomplete };
}

/** Whether it is the effect of the key's last change; otherwise the accounts are about to be asked. */
export function isCurrent({ change }: KeyEffect, open: Revocation | undefined): boolean {
  if (!open) return change.expect === 'open';
  return change.expect === 'blocked' && Date.parse(change.since) === open.revokedOn.getTime();
}
