import type { Vault, World } from '../world.ts';
import { KeyVaultError } from './errors.ts';
import type { Operation } from './operation.ts';

/** Transactions of a vault and region in 10 s, by key size (Key Vault service limits, software keys). */
const limits: Record<number, { create: number; other: number }> = {
  2048: { create: 20, other: 4000 },
  3072: { create: 20, other: 1000 },
  4096: { create: 20, other: 500 },
};
const windowMs = 10_000;
/** The limit of all vaults of a subscription in a region, as a multiple of a vault's. */
const subscriptionShare = 5;

/**
 * Takes the cost of an operation from the budgets of the vault and its subscription. Throws the 429 if one is used up.
 */
export type Throttle = (vault: Vault, cost: Operation['cost'], keySize: () => number | undefined) => void;

/** The budgets of all vaults. Each operation costs its share of the window; a refused one costs nothing. */
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

    // A tolerance for rounding: 20 shares of a twentieth are one budget.
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
