import type { RekeyList } from '../../src/fleet/rekey-marks.ts';
import type { KeyHolder, RekeyData, RekeyOrder, RekeyStore, RekeySubject } from '../../src/fleet/rekey-order.ts';

/** Re-keys in memory, as Table Storage keeps them: a change of an order that was changed since it was read is refused. */
export class MemoryRekeys {
  readonly #orders = new Map<string, RekeyOrder>();
  /** What was done to the orders, in turn, as far as it is to be on record: by what they were before and after. */
  readonly changes: { readonly id: string; readonly reason: string }[] = [];
  readonly #subjects = new Map<string, RekeySubject>();
  readonly #listed = new Map<string, ReadonlyMap<string, RekeyList>>();
  readonly #sent = new Map<string, Map<string, number>>();
  readonly #holders = new Map<string, { readonly order: string; readonly etag: string }>();
  #etags = 0;

  get orders(): readonly RekeyOrder[] {
    return [...this.#orders.values()];
  }

  /** It was there before. */
  has(order: RekeyData): void {
    this.#etags += 1;
    this.#orders.set(order.id, { ...order, etag: String(this.#etags) });
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
      const reason = changeOf(this.#orders.get(order.id), order);
      if (reason) this.changes.push({ id: order.id, reason });
      const kept = { ...order, etag: String(this.#etags) };
      this.#orders.set(order.id, kept);
      return kept;
    };
    const replace = (order: RekeyOrder) => (this.#orders.get(order.id)?.etag === order.etag ? keep(order) : undefined);
    const stand = (order: RekeyData & { readonly etag?: string }, holders: readonly KeyHolder[]) => {
      const isSame = holders.every(({ key, last }) => this.#holders.get(key.toLowerCase())?.etag === last?.etag);
      if (!isSame || this.#orders.get(order.id)?.etag !== order.etag) return undefined;
      const kept = keep(order);
      for (const { key } of holders) this.#holders.set(key.toLowerCase(), { order: order.id, etag: kept.etag });
      return kept;
    };
    const subjects = (id: string) => way('rekey subjects', () => this.subjects(id));
    return {
      orders: () => way('rekey orders', () => this.orders),
      order: (id) => way('rekey order', () => this.#orders.get(id)),
      holders: (keys) =>
        way('rekey holders', () =>
          keys.map((key): KeyHolder => {
            const last = this.#holders.get(key.toLowerCase());
            return last ? { key, last } : { key };
          }),
        ),
      stand: (order, holders) => way(`rekey stand ${order.state}`, () => stand(order, holders), true),
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
      sent: (id) => way('rekey sent', () => new Map(this.#sent.get(id))),
      noteSent: (id, accounts, tick) =>
        way(
          `rekey note sent ${accounts.length}`,
          () => {
            const sent = accounts.map((account) => [account.toLowerCase(), tick] as const);
            this.#sent.set(id, new Map([...(this.#sent.get(id) ?? []), ...sent]));
          },
          true,
        ),
      noteSeen: (id, account) =>
        way('rekey note seen', () => void this.#sent.get(id)?.delete(account.toLowerCase()), true),
      listed: (id) => way('rekey listed', () => new Map(this.#listed.get(id))),
      noteListed: (id, accounts) =>
        way(
          `rekey note listed ${accounts.size}`,
          () => void this.#listed.set(id, new Map([...(this.#listed.get(id) ?? []), ...accounts])),
          true,
        ),
    };
  }
}

const BY_STATE = {
  moving: 'RekeyStarted',
  takingBack: 'RekeyTakingBack',
  done: 'RekeyDone',
  takenBack: 'RekeyTakenBack',
  ended: 'RekeyEnded',
} as const;

function changeOf(before: RekeyData | undefined, { state, paused }: RekeyData): string | undefined {
  if (before?.state !== state) return BY_STATE[state];
  if (paused && paused.on !== before.paused?.on) return paused.by ? 'RekeyPaused' : 'RekeyStopped';
  return before.paused && !paused ? 'RekeyResumed' : undefined;
}
