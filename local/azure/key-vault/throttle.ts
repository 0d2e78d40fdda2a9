import type { Vault, World } from '../world.ts';
import { KeyVaultError } from './errors.ts';
import type { Operation } from './operation.ts';

/** Transactions per vault and region in 10 s, by key size (Key Vault service limits, software keys). */
const limits: Record<number, { create: number; other: number }> = {
  2048: { create: 20, other: 4000 },
  3072: { create: 20, other: 1000 },
  4096: { create: 20, other: 500 },
};
const windowMs = 10_000;
/** What all vaults of a subscription may do together in one region, in budgets of one vault. */
const subscriptionShare = 5;

/** Takes what an operation costs out of the vault's and its subscription's budget; throws the 429 when it is not there. */
export type Throttle = (vault: Vault, cost: Operation['cost'], keySize: () => number | undefined) => void;

/** The budgets of the world's vaults. Each operation costs its share of the window; refused ones cost nothing. */
export function createThrottle(world: World): Throttle {
  const buckets = new Map<string, { level: number; atMs: number }>();

  const bucket = (name: string, capacity: number): { level: number; atMs: number } => {
    const nowMs = world.clock.nowMs();
    const found = buckets.get(name) ?? { level: capacity, atMs: nowMs };
    const refill = ((nowMs - found.atMs) / windowMs) * capacity;
    const filled = { level: Math.min(capacity, found.level + refill), atMs: nowMs };
    buckets.set(name, filled);
    return filled;
  };

  return (vault, cost, keySize) => {
    if (!world.settings.throttle) return;

    const limit = limits[keySize() ?? 2048] ?? { create: 20, other: 4000 };
    const share = 1 / limit[cost];
    const subscription = /^\/subscriptions\/([^/]+)/i.exec(vault.id)?.[1] ?? '';
    const own = bucket(vault.id.toLowerCase(), 1);
    const shared = bucket(`${subscription.toLowerCase()}/${vault.location}`, subscriptionShare);

    // A hair of tolerance: 20 shares of a twentieth are one budget, whatever the rounding.
    if (own.level + 1e-9 < share || shared.level + 1e-9 < share) {
      throw new KeyVaultError(
        429,
        'Throttled',
        'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
      );
    }

    own.level -= share;
    shared.level -= share;
  };
}
