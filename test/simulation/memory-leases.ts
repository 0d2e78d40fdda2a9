import { HELD_MS, LEASE_MS, type Lease, type Leases } from '../../src/work/lease-client.ts';
import type { Way } from './memory-vault.ts';
import type { Actor } from './scheduler.ts';

/** A lease is renewed so often. Milliseconds. */
const TURN_MS = LEASE_MS / 3;
const NEVER = Number.POSITIVE_INFINITY;

/** Milliseconds on the simulation's clock; `NEVER` for what has not come. */
interface Held {
  readonly by: Actor;
  readonly acquired: number;
  /** Its holder was killed, or does not know of it. */
  died: number;
  released: number;
  state: unknown;
}

/** The app's leases in memory, renewed as the real ones are, on the simulation's clock (milliseconds). */
export class MemoryLeases {
  readonly #all = new Map<string, Held>();
  readonly #clock: () => number;
  /** The state that a forger has written into every lease that is acquired next. */
  #written: { readonly state: unknown } | undefined;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** The leases of a killed holder are no longer renewed. */
  outlive(holder: Actor): void {
    for (const lease of this.#all.values()) {
      if (lease.by === holder) lease.died = Math.min(lease.died, this.#clock());
    }
  }

  write(state: unknown): void {
    this.#written = { state };
    for (const lease of this.#all.values()) lease.state = state;
  }

  port(actor: Actor, way: Way): Leases {
    return {
      acquire: async (name) => {
        let taken: Held | undefined;
        let isUnknown = false;
        const state = await way(
          `acquire ${name.split('/').at(-1)}`,
          () => {
            taken = this.#take(name, actor, actor.dead || isUnknown);
            return taken && { state: taken.state };
          },
          true,
        ).catch((error: unknown) => {
          isUnknown = true;
          if (taken) taken.died = this.#clock();
          throw error;
        });

        return taken && state && this.#lease(name, taken, way);
      },
    };
  }

  #take(name: string, by: Actor, isUnknown: boolean): Held | undefined {
    const held = this.#all.get(name);
    const now = this.#clock();
    if (held && this.#expires(held) > now) return undefined;
    const died = isUnknown ? now : NEVER;
    const taken = { by, acquired: now, died, released: NEVER, state: (held ?? this.#written)?.state };
    this.#all.set(name, taken);
    return taken;
  }

  /** When it was last renewed. */
  #renewed({ acquired, released, died }: Held): number {
    const end = Math.min(this.#clock(), released - 1, died, acquired + 3_600_000);
    return acquired + TURN_MS * Math.max(0, Math.floor((end - acquired) / TURN_MS));
  }

  #expires(held: Held): number {
    if (held.released <= this.#clock()) return held.released;
    return this.#renewed(held) + LEASE_MS;
  }

  #lease(name: string, held: Held, way: Way): Lease {
    const now = this.#clock;
    const isCurrent = () => this.#all.get(name) === held && held.released > now();
    const change = (label: string, make: () => void) => way(label, make, true);
    let isOver = false;

    return {
      state: held.state,
      held: () => !isOver && isCurrent() && now() - this.#renewed(held) < HELD_MS,
      save: (next) =>
        change('save', () => {
          if (!isCurrent() || this.#expires(held) <= now()) {
            throw Object.assign(new Error('the lease is lost'), { statusCode: 412 });
          }
          held.state = next === undefined ? undefined : JSON.parse(JSON.stringify(next));
        }),
      release: () => {
        isOver = true;
        held.died = Math.min(held.died, now());
        return change('release', () => {
          if (isCurrent() && this.#expires(held) > now()) held.released = now();
        }).catch(() => {});
      },
    };
  }
}
