import type { RolloutRow, RolloutStore } from '../../src/fleet/rollout-row.ts';
import type { Way } from './memory-vault.ts';

/** Rollout rows as the table of the control zone keeps them. */
export class MemoryRollouts {
  readonly #rows = new Map<string, { readonly json: string; readonly etag: string }>();
  #writes = 0;

  get all(): readonly (readonly [name: string, row: RolloutRow])[] {
    return [...this.#rows].map(([name, { json }]) => [name, JSON.parse(json) as RolloutRow]);
  }

  port(way: Way): RolloutStore {
    return {
      read: (name) =>
        way(`rollout read ${short(name)}`, () => {
          const stored = this.#rows.get(name);
          return stored && { row: JSON.parse(stored.json) as RolloutRow, etag: stored.etag };
        }),
      put: (name, row, etag) =>
        way(
          `rollout put ${short(name)} ${row.stage} ${row.unfinished}`,
          () => {
            if (this.#rows.get(name)?.etag !== etag) return false;
            this.#writes += 1;
            this.#rows.set(name, { json: JSON.stringify(row), etag: String(this.#writes) });
            return true;
          },
          true,
        ),
      all: async function* (this: MemoryRollouts) {
        for (const [name, row] of await way('rollouts all', () => this.all)) yield { name, row };
      }.bind(this),
    };
  }
}

function short(name: string): string {
  return name.split('/').at(-1) ?? '';
}
