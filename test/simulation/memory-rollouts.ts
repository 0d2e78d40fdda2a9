import { createRolloutStore, type RolloutRow, type RolloutStore } from '../../src/index/rollout-row.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import type { Way } from './memory-vault.ts';

/** Rollout rows as the table of the control zone keeps them. */
export class MemoryRollouts {
  readonly #table = new MemoryFleetTable();

  get all(): readonly (readonly [name: string, row: RolloutRow])[] {
    return this.#table.all.map(({ name, row }) => [String(name), JSON.parse(String(row)) as RolloutRow]);
  }

  port(way: Way): RolloutStore {
    return createRolloutStore(this.#table.port(way, 'rollout'));
  }
}
