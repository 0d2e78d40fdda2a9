import { parseStorageAccountId } from '../azure/resource-id.ts';
import { inManagedSubscriptions } from '../fleet/fleet-keys.ts';
import type { UseRow } from '../fleet/use-row.ts';

/** Subscriptions that are named: the order is in one property of Table Storage, which holds 32,768 characters. */
const MOST_NAMED = 20;

/**
 * Counts uses of a key in subscriptions that the app does not manage: `CMK_SUBSCRIPTIONS` does not name them, or the app
 * cannot see them. An order does not move these, and an operator has to know before disabling the key.
 */
export class ExcludedUses {
  readonly #isManaged: (use: Pick<UseRow, 'account'>) => boolean;
  readonly #counts = new Map<string, number>();

  /** @param subscriptions managed subscriptions; undefined: not known, and no use is excluded */
  constructor(subscriptions: readonly string[] | undefined) {
    this.#isManaged = inManagedSubscriptions(subscriptions);
  }

  /** Counts a use that is excluded. @returns whether it is */
  countIfExcluded(use: UseRow): boolean {
    if (this.#isManaged(use)) return false;
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
