import type { Lease, Leases } from '../../src/work/lease-client.ts';
import type { Way } from './memory-vault.ts';
import type { Actor } from './scheduler.ts';

/** A lease that is not renewed any more outlives its holder by at least this; one that is left on purpose, by the other. */
const AFTER_DEATH_MS = 40_000;
const ABANDONED_MS = 60_000;

interface Held {
  by: Actor;
  /** Undefined: as long as its holder lives and does not let go. */
  expires: number | undefined;
  state: unknown;
}

/** The app's leases in memory, each kept with its state, on the simulation's clock (milliseconds). */
export class MemoryLeases {
  readonly #all = new Map<string, Held>();
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** What somebody held who was killed is not renewed any more. */
  outlive(holder: Actor): void {
    for (const lease of this.#all.values()) {
      if (lease.by === holder) lease.expires ??= this.#clock() + AFTER_DEATH_MS;
    }
  }

  port(actor: Actor, way: Way): Leases {
    return {
      acquire: async (name) => {
        const abandon = () => {
          const held = this.#of(name, actor);
          if (held) held.expires = this.#clock() + ABANDONED_MS;
        };
        // Whoever does not know that it holds a lease does not renew it.
        let isUnknown = false;
        const taken = await way(
          `acquire ${name.split('/').at(-1)}`,
          () => this.#take(name, actor, actor.dead || isUnknown),
          true,
        ).catch((error: unknown) => {
          isUnknown = true;
          abandon();
          throw error;
        });
        return taken && this.#lease(name, actor, way, taken.state);
      },
    };
  }

  #of(name: string, actor: Actor): Held | undefined {
    const held = this.#all.get(name);
    return held?.by === actor ? held : undefined;
  }

  #take(name: string, actor: Actor, isAbandoned: boolean): { readonly state: unknown } | undefined {
    const held = this.#all.get(name);
    if (held && held.by !== actor && (held.expires ?? Number.POSITIVE_INFINITY) > this.#clock()) return undefined;
    const expires = isAbandoned ? this.#clock() + ABANDONED_MS : undefined;
    this.#all.set(name, { by: actor, expires, state: held?.state });
    return { state: held?.state };
  }

  #lease(name: string, actor: Actor, way: Way, state: unknown): Lease {
    const mine = () => this.#of(name, actor);
    const change = (label: string, make: () => void) => way(label, make, true);
    return {
      state,
      held: () => {
        const held = mine();
        return held !== undefined && held.expires === undefined;
      },
      save: (next) =>
        change('save', () => {
          const held = mine();
          if (!held) throw Object.assign(new Error('the lease is lost'), { statusCode: 412 });
          held.state = next === undefined ? undefined : JSON.parse(JSON.stringify(next));
        }),
      release: () =>
        change('release', () => {
          const held = mine();
          if (held) held.expires = 0;
        }).catch(() => {
          const held = mine();
          if (held) held.expires ??= this.#clock() + ABANDONED_MS;
        }),
      abandon: async () => {
        const held = mine();
        if (held) held.expires = this.#clock() + ABANDONED_MS;
      },
      releaseAfter: (ms) => {
        const held = mine();
        if (held) held.expires = this.#clock() + ms;
      },
    };
  }
}
