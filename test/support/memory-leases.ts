import type { Lease, Leases } from '../../src/work/lease-client.ts';

/** How long a lease lasts that is not renewed, in milliseconds. */
const DURATION_MS = 60_000;
/** How long one lasts at least whose holder dies between two renewals. */
const LEFT_MS = 40_000;

/** Leases on a clock of the test's own; several instances share one of these. `kill` ends a holder. */
export class MemoryLeases implements Leases {
  readonly #now: () => Date;
  readonly #states = new Map<string, string>();
  /** Until when a name is taken; for good while its holder lives. */
  readonly #taken = new Map<string, { holder: object; until: number }>();

  constructor(now: () => Date) {
    this.#now = now;
  }

  async acquire(name: string): Promise<(Lease & { readonly expire: () => void }) | undefined> {
    const taken = this.#taken.get(name);
    if (taken && taken.until > this.#now().getTime()) return undefined;

    const holder = {};

    this.#taken.set(name, { holder, until: Number.POSITIVE_INFINITY });

    let isLeft = false;
    const isOurs = () => {
      const of = this.#taken.get(name);
      return of?.holder === holder && of.until > this.#now().getTime();
    };
    const state = this.#states.get(name);

    return {
      state: state === undefined ? undefined : JSON.parse(state),
      held: () => !isLeft && isOurs(),
      save: async (next) => {
        if (!isOurs()) throw new Error('The lease is lost.');
        if (next === undefined) this.#states.delete(name);
        else this.#states.set(name, JSON.stringify(next));
      },
      release: async () => {
        if (isOurs()) this.#taken.delete(name);
      },
      /** It is renewed no more. */
      expire: () => {
        if (isOurs()) this.#taken.set(name, { holder, until: this.#now().getTime() + DURATION_MS });
        isLeft = true;
      },
    };
  }

  /** Every holder dies now. */
  kill(): void {
    for (const [name, { until }] of this.#taken) {
      if (until !== Number.POSITIVE_INFINITY) continue;
      this.#taken.set(name, { holder: {}, until: this.#now().getTime() + LEFT_MS });
    }
  }

  /** What a name keeps, parsed. */
  state(name: string): unknown {
    const state = this.#states.get(name);
    return state === undefined ? undefined : JSON.parse(state);
  }
}
