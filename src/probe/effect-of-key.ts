import { withDeadline } from '../azure/deadline.ts';
import { describeError } from '../azure/failure.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Revocation } from '../revocation/revocation.ts';
import type { AccountEffect, KeyEffect, RefusedAfter } from './effect.ts';
import type { EffectStore } from './effect-store-client.ts';

/** Deadline for reading the record. Milliseconds. */
const READING_MS = 3_000;

/** Effect of a key's last change, as the key's status shows it. */
export interface ShownEffect {
  readonly effect: AccountEffect[];
  /** Undefined without a measured revocation, or if the record is unreadable. */
  readonly refusedAfter: RefusedAfter | undefined;
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
    const why = describeError(error);
    return { effect: [], refusedAfter: undefined, warnings: [`The app cannot read the probe results (${why}).`] };
  }

  const refusedAfter = recorded?.refusedAfter;
  if (!recorded || !isCurrent(recorded, revocation)) return { effect: [], refusedAfter, warnings: [] };

  const incomplete = recorded.complete ? [] : ['The app could not find and probe every account that uses the key.'];

  return { effect: recorded.accounts, refusedAfter, warnings: incomplete };
}

/** Returns whether the record is about the key's last change; otherwise the accounts' probes follow. */
export function isCurrent({ change }: KeyEffect, open: Revocation | undefined): boolean {
  if (!open) return change.expect === 'open';
  return change.expect === 'blocked' && Date.parse(change.since) === open.revokedOn.getTime();
}
