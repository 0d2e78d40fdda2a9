import { PATIENT_LIST_CALLS } from '../accounts/dispatcher.ts';
import { tellingRefusals } from '../accounts/refusals.ts';
import { describeFailure } from '../azure/failure.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { pacingCell, type Turns } from '../azure/turns.ts';
import type { Scope } from '../fleet/account.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import { hasNoScopes } from '../fleet/storage-client.ts';

/** One look lists for so long; what is left is for the next one. Milliseconds. */
const LISTING_MS = 2 * 60_000;

export interface ListerServices {
  readonly accounts: StorageAccounts;
  readonly turns: Turns;
  readonly schedule: Turns;
  readonly now: () => Date;
}

/** Lists scopes as long as there is time, and turns. */
export class ScopeLister {
  readonly #services: ListerServices;
  readonly #endMs: number;
  readonly #full = new Set<string>();

  constructor(services: ListerServices) {
    this.#services = services;
    this.#endMs = services.now().getTime() + LISTING_MS;
  }

  /** Takes a turn, if there is one now. */
  hasTurn(id: ResourceId, location: string): boolean {
    const { turns, now } = this.#services;
    const place = { subscriptionId: id.subscriptionId, location };
    const cell = pacingCell(place);
    const nowMs = now().getTime();
    if (this.#full.has(cell) || nowMs > this.#endMs) return false;
    if (turns.take(place, PATIENT_LIST_CALLS, nowMs, { mostMs: 0 }) <= 0) return true;
    this.#full.add(cell);
    return false;
  }

  /**
   * Undefined: not for now. An account that is gone has none.
   *
   * @throws the SDK's error when Azure cannot be asked
   */
  async list(id: ResourceId, location: string): Promise<readonly Scope[] | undefined> {
    const place = { subscriptionId: id.subscriptionId, location };
    try {
      const scopes: Scope[] = [];
      for await (const scope of tellingRefusals(this.#services.accounts, place, this.#services).listScopes(id))
        scopes.push(scope);
      return scopes;
    } catch (error) {
      const failure = describeFailure(error);
      if (hasNoScopes(failure)) return [];
      if (failure.kind !== 'throttled') throw error;
      this.#full.add(pacingCell(place));
      return undefined;
    }
  }
}
