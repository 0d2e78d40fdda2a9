import { parseStorageAccountId } from '../../azure/resource-id.ts';
import type { FleetUse } from '../../fleet/fleet-index.ts';
import { usesLookedAfter } from '../../fleet/fleet-keys.ts';

/** Subscriptions that are named: the order is in one property of Table Storage, which holds 32,768 characters. */
const MOST_NAMED = 20;

/**
 * What is known to use a key in subscriptions that the app does not look after: `CMK_SUBSCRIPTIONS` does not name them, or
 * they are out of its sight. An order leaves it where it is, and who is about to disable the key has to know.
 */
export class LeftOut {
  readonly #isLookedAfter: (use: Pick<FleetUse, 'account'>) => boolean;
  readonly #counts = new Map<string, number>();

  /** @param subscriptions those that are in sight; undefined: not known, and nothing is left out */
  constructor(subscriptions: readonly string[] | undefined) {
    this.#isLookedAfter = usesLookedAfter(subscriptions);
  }

  has(use: Pick<FleetUse, 'account'>): boolean {
    return !this.#isLookedAfter(use);
  }

  /** Whether it is left out; then it is counted. */
  takes(use: FleetUse): boolean {
    if (!this.has(use)) return false;
    const id = parseStorageAccountId(use.account)?.subscriptionId ?? '';
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    return true;
  }

  /** One sentence for each subscription, those with the most first. */
  sentences(): string[] {
    const all = [...this.#counts].sort(([, a], [, b]) => b - a);
    const others = all.slice(MOST_NAMED);
    const named = all.slice(0, MOST_NAMED).map(([id, count]) => stays(count, `subscription ${id}`));
    if (others.length === 0) return named;
    const count = others.reduce((sum, [, one]) => sum + one, 0);
    return [
      ...named,
      stays(count, others.length === 1 ? 'one more subscription' : `${others.length} more subscriptions`),
    ];
  }
}

function stays(count: number, where: string): string {
  const they = count === 1 ? '1 account or scope uses' : `${count} accounts and scopes use`;
  return `${they} the old key in ${where}, as last seen, and will stay on it: the app does not look there.`;
}
