import { setTimeout as wait } from 'node:timers/promises';
import { ArmError } from '../arm/errors.ts';
import type { World } from '../world.ts';

/**
 * Allows one write of an account at a time, and refuses a concurrent one, as Azure does (public reports). Whether a
 * write of an encryption scope counts is not documented; here it does not.
 */
export class ExclusiveWrites {
  readonly #world: World;
  /** ARM ids, lower case. */
  readonly #written = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  async run<T>(accountId: string, write: () => T | Promise<T>): Promise<T> {
    const id = accountId.toLowerCase();
    if (this.#written.has(id)) {
      throw new ArmError(
        409,
        'StorageAccountOperationInProgress',
        'An operation is currently performing on this storage account that requires exclusive access.',
      );
    }

    this.#written.add(id);

    try {
      const answer = await write();

      await wait(this.#world.settings.accountWriteMs);
      return answer;
    } finally {
      this.#written.delete(id);
    }
  }
}
