import { z } from 'zod';
import { LIMITS } from '../azure/limits.ts';
import { GIVEN_UP_MS } from '../formats/spans.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { HELD_MS, type Lease, type Leases } from '../work/lease-client.ts';

/** After this time, an announced request has taken effect or never will: the lease limits its start. Milliseconds. */
export const LANDED_MS = HELD_MS + LIMITS.keyWork.wholeWriteMs + GIVEN_UP_MS;

/**
 * The start of a rotation, stored in the key's lease: the next holder knows that a new version may still appear. A
 * writer of the leases can forge it, so the app reads the version itself from Key Vault.
 */
const INTENT = z.object({
  /** The newest version before the rotation. */
  from: z.string(),
  /** The rotation completes an interrupted rotation's version, and requests no version. */
  completes: z.boolean().default(false),
  /** By this time, the worker's requests have taken effect or never will (ISO 8601). */
  until: z.iso.datetime(),
});
export type RotationIntent = z.output<typeof INTENT>;

/**
 * Acquires the lease that the app holds while it rotates a key. An operator's own sign-in rotates without it.
 *
 * @returns undefined if another rotation of the key holds it
 */
export function acquireRotation(key: ManagedKey, leases: Leases): Promise<Lease | undefined> {
  // A vault and a Managed HSM may have one name, but never one host.
  const { host } = new URL(key.vault.uri);
  return leases.acquire(`key/${host}/${key.name.toLowerCase()}`);
}

/** Reads what the last holder announced; undefined if it announced nothing, or finished. */
export function readIntent({ state }: Pick<Lease, 'state'>): RotationIntent | undefined {
  return INTENT.safeParse(state).data;
}

/** Returns for how many milliseconds an announced request may still create a version. A longer time is forged: 0. */
export function countMsToLand(intent: RotationIntent | undefined, now: Date): number {
  const ms = intent ? Date.parse(intent.until) - now.getTime() : 0;
  return ms > 0 && ms <= LANDED_MS ? ms : 0;
}
