import { parseStorageAccountId } from '../azure/resource-id.ts';
import type { UseRef } from '../fleet/fleet-index.ts';
import { usesLookedAfter } from '../rollout/read-rotation.ts';
import type { Settings } from '../settings/settings.ts';

/**
 * What is known to use a key in subscriptions that `CMK_SUBSCRIPTIONS` does not name. An order leaves it where it is, and who
 * is about to disable the key has to know.
 */
export class LeftOut {
  readonly #isLookedAfter: (use: UseRef) => boolean;
  readonly #counts = new Map<string, number>();

  constructor(settings: Pick<Settings, 'subscriptions'>) {
    this.#isLookedAfter = usesLookedAfter(settings);
  }

  /** Whether it is left out; then it is counted. */
  takes(use: UseRef): boolean {
    if (this.#isLookedAfter(use)) return false;
    const id = parseStorageAccountId(use.account)?.subscriptionId ?? '';
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    return true;
  }

  /** One sentence for each subscription. */
  sentences(): string[] {
    return [...this.#counts].map(([id, count]) => {
      const they = count === 1 ? '1 account or scope uses' : `${count} accounts and scopes use`;
      return `${they} the old key in subscription ${id}, as last seen, and stay on it: CMK_SUBSCRIPTIONS does not name it.`;
    });
  }
}
