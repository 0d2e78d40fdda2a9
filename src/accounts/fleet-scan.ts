import { twice } from '../azure/retry-once.ts';
import type { FleetAccount, FleetChange, FleetIndex } from '../fleet/fleet-index.ts';
import { accountRow } from '../fleet/fleet-keys.ts';
import { changesOf, changesOfGone, type SeenAccount } from './fleet-entries.ts';

/** Changes that are written together. */
const BATCH = 800;

interface FleetScanPorts {
  readonly fleet: FleetIndex;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}

/**
 * Writes down what a listing of one subscription shows: what has changed, and what is gone. It never throws. A write that
 * fails in a way that may pass is tried once more: thousands of rows are refused for a moment where hundreds are not. After
 * the first thing that fails otherwise it asks nothing more of the index: what it missed, the next listing writes.
 */
export class FleetScan {
  readonly #subscription: string;
  readonly #index: FleetIndex;
  readonly #now: () => Date;
  readonly #sleep: FleetScanPorts['sleep'];
  readonly #startedOn: Date;
  /** By row: what was known and has not been seen yet. */
  readonly #known: Promise<Map<string, FleetAccount>>;
  readonly #distrust: boolean;
  #changes: FleetChange[] = [];
  #writing: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  #isListed = false;

  /** @param distrust writes everything, though it be known */
  constructor(subscription: string, { fleet, now, sleep }: FleetScanPorts, distrust = false) {
    this.#subscription = subscription;
    this.#index = fleet;
    this.#now = now;
    this.#sleep = sleep;
    this.#startedOn = now();
    this.#distrust = distrust;
    this.#known = this.#readKnown();
  }

  /** What went wrong first, if anything did. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** When the list of it began, once all that it shows is written down. */
  get listedOn(): Date | undefined {
    return this.#isListed ? this.#startedOn : undefined;
  }

  /** What was known of an account before; undefined as well when that cannot be told. */
  async known(id: string): Promise<FleetAccount | undefined> {
    return (await this.#known).get(accountRow(id));
  }

  async saw(seen: SeenAccount): Promise<void> {
    const known = await this.#known;
    if (this.#failure) return;
    const row = accountRow(seen.account.id);
    const before = known.get(row);
    known.delete(row);
    this.#changes.push(...changesOf(seen, before, this.#now(), this.#distrust));
    if (this.#changes.length >= BATCH) this.#flush();
    // One write beside what is read, and no more.
    if (this.#changes.length >= BATCH / 2) await this.#writing;
  }

  /** @param whole whether every account of the subscription was seen */
  async end(whole: boolean): Promise<void> {
    const unseen = await this.#known;
    if (this.#failure) return;
    if (whole) for (const account of unseen.values()) this.#changes.push(...changesOfGone(account));
    this.#flush();
    await this.#writing;
    if (this.#failure || !whole) return;
    this.#isListed = true;
    await twice(() => this.#index.listed(this.#subscription, this.#startedOn), this.#sleep) //
      .catch((error: unknown) => this.#failed(error));
  }

  async #readKnown(): Promise<Map<string, FleetAccount>> {
    const known = new Map<string, FleetAccount>();
    try {
      for await (const account of this.#index.accounts(this.#subscription))
        known.set(accountRow(account.account), account);
    } catch (error) {
      this.#failed(error);
    }
    return known;
  }

  #flush(): void {
    const changes = this.#changes;
    if (changes.length === 0) return;
    this.#changes = [];
    this.#writing = this.#writing
      .then(() => (this.#failure ? undefined : twice(() => this.#index.write(changes), this.#sleep)))
      .catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    this.#failure ??= { error };
  }
}

/** The scans of one look over several subscriptions. */
export class FleetScans {
  readonly #scans: (readonly [string, FleetScan])[] = [];
  readonly #services: FleetScanPorts;
  readonly #distrust: boolean;

  constructor(services: FleetScanPorts, distrust = false) {
    this.#services = services;
    this.#distrust = distrust;
  }

  of(subscription: string): FleetScan {
    const scan = new FleetScan(subscription, this.#services, this.#distrust);
    this.#scans.push([subscription, scan]);
    return scan;
  }

  /** The subscriptions of which all is written down, with when their lists began. */
  get listed(): readonly (readonly [string, Date])[] {
    return this.#scans.flatMap(([id, { listedOn }]) => (listedOn ? [[id, listedOn] as const] : []));
  }

  /** What went wrong first in any of them. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#scans.find(([, { failure }]) => failure)?.[1].failure;
  }
}
