import type { RekeyData, RekeyOrder, RekeyStore, RekeySubject } from '../../src/fleet/rekey-order.ts';

/** Re-keys in memory, as Table Storage keeps them: a change of an order that was changed since it was read is refused. */
export class MemoryRekeys {
  readonly #orders = new Map<string, RekeyOrder>();
  readonly #subjects = new Map<string, RekeySubject>();
  #etags = 0;

  get orders(): readonly RekeyOrder[] {
    return [...this.#orders.values()];
  }

  subjects(id: string, account?: string): RekeySubject[] {
    return [...this.#subjects]
      .filter(([key, subject]) => key.startsWith(`${id}\n`) && (account === undefined || subject.account === account))
      .map(([, subject]) => subject);
  }

  /** As the app sees it. `way` runs each request. */
  port(
    way: <T>(label: string, effect: () => T, writes?: boolean) => Promise<T> = async (_, effect) => effect(),
  ): RekeyStore {
    const keep = (order: RekeyData): RekeyOrder => {
      this.#etags += 1;
      const kept = { ...order, etag: String(this.#etags) };
      this.#orders.set(order.id, kept);
      return kept;
    };
    const replace = (order: RekeyOrder) => (this.#orders.get(order.id)?.etag === order.etag ? keep(order) : undefined);
    const subjects = (id: string) => way('rekey subjects', () => this.subjects(id));
    return {
      orders: () => way('rekey orders', () => this.orders),
      order: (id) => way('rekey order', () => this.#orders.get(id)),
      add: (order) => way('rekey add', () => void keep(order), true),
      replace: (order) => way(`rekey replace ${order.state} ${order.tick}`, () => replace(order), true),
      async *subjects(id) {
        yield* await subjects(id);
      },
      subjectsOf: (id, account) => way('rekey subjects of', () => this.subjects(id, account)),
      put: (id, subject) =>
        way(
          `rekey put ${subject.state}`,
          () => void this.#subjects.set(`${id}\n${subject.account}\n${subject.scope ?? ''}`, subject),
          true,
        ),
    };
  }
}
