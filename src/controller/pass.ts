import { once } from 'node:events';
import pLimit, { type LimitFunction } from 'p-limit';
import pMap from 'p-map';
import { untilAborted } from '../azure/deadline.ts';
import { Limiter } from '../azure/limiter.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { compareText } from '../formats/text.ts';
import type { UseRow } from '../index/use-row.ts';
import {
  createKeyItem,
  formatWorkRow,
  getDue,
  isAboutAccount,
  LONGEST_WAIT_MS,
  type WorkItem,
} from '../index/work-items.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { getRetryDelay } from '../work/retry.ts';
import { type Lane, Lanes } from './lane.ts';
import { Listing } from './listing.ts';
import { PassLease, type PassStart } from './pass-lease.ts';
import { PassLimits } from './pass-limits.ts';
import { createPassLog, type PassLog } from './pass-log.ts';
import { PassResults } from './pass-results.ts';
import type { Announcement } from './pass-state.ts';
import { PassTime } from './pass-time.ts';
import { reconcileUse } from './reconcile-use.ts';
import { needsRead, type Selected, selectTask, type UseRequest } from './select.ts';
import { createTask, PassItem, startOfRequest, type Task } from './task.ts';
import { createBlockedResult } from './use-result.ts';
import type { FleetServices } from './worker-ports.ts';

/** Interval at which a running pass reads its work items. Milliseconds. */
const ITEMS_MS = 5_000;
/** Longest wait between checks of the clock. Milliseconds. */
const STEP_MS = 1_000;
/** After this time, a slow listing no longer counts towards the instance's limit, so that it delays no other. Milliseconds. */
const SLOW_LISTING_MS = 60_000;
/** Concurrent lists of a vault's keys at the start of their items: one that hangs delays only keys of its vault. */
const VAULT_LISTS = 32;

/**
 * One pass of the lease holder over a subscription's work, as a pipeline of values:
 *
 *     items → rows → tasks, in a lane for each region → select → permit → read → decide → announce → PATCH → results
 *
 * Lanes and listings add tasks and results. The loop in `run` is the only one that writes results.
 */
export class Pass {
  readonly #subscription: string;
  readonly #ports: FleetServices;
  readonly #unverified: Announcement | undefined;
  readonly #time: PassTime;
  readonly #lease: PassLease;
  readonly #log: PassLog;
  readonly #limits: PassLimits;
  readonly #results: PassResults;
  readonly #lanes = new Lanes();
  /** Concurrent reads of the index by key, since a subscription may use thousands of keys. */
  readonly #rowReads = pLimit(CONCURRENCY);
  /** Started items, by row and ETag. */
  readonly #started = new Map<string, PassItem>();
  /** A second listing of scopes waits for the first, and then finds only the accounts left. */
  readonly #scopeListings = pLimit(1);
  /** The limit of concurrent lists of versions, for each vault. */
  readonly #vaultLists = new Map<string, LimitFunction>();
  /** Whether a `verify` item exists. */
  #isVerifying = false;
  /** Number of items whose tasks are not in the lanes yet. */
  #starting = 0;
  #itemsReadAt = 0;

  constructor(subscription: string, until: Date, start: PassStart, ports: FleetServices) {
    const limiter = new Limiter(start.usage);

    this.#subscription = subscription;
    this.#ports = ports;
    this.#unverified = start.unverified;
    this.#time = new PassTime(until, start.lease, ports);
    this.#lease = new PassLease(start, ports.now(), limiter);
    this.#log = createPassLog(subscription, ports);
    this.#limits = new PassLimits(subscription, limiter, this.#time, this.#log, ports);
    this.#results = new PassResults({ subscription, lease: this.#lease, time: this.#time, log: this.#log }, ports);
  }

  /**
   * @returns keys to reconcile after the pass; their work items are already stored
   * @throws an error of the app's own storage, after all calls in flight ended
   */
  async run(): Promise<readonly ManagedKey[]> {
    await this.#lease.begin();

    const serving = this.#serveLanes();

    let isRunning = true;
    while (isRunning) isRunning = await this.#step();

    this.#lanes.close();
    await serving;

    if (this.#time.hasFailed && this.#lease.isHeld()) await this.#lease.endFailed();

    const nextDue = this.#lease.isHeld() ? await this.#finishItems() : undefined;

    this.#log.end(nextDue);
    this.#time.throwIfFailed();

    return [...this.#results.progressed.values()].map(({ key }) => key);
  }

  /** Reads items and writes results, as far as they are due. @returns false when all is done */
  async #step(): Promise<boolean> {
    this.#time.endCalls();

    // `reconcileSubscription` reads the items again after the pass, and finds later items.
    if (!this.#time.isStopping() && this.#ports.now().getTime() - this.#itemsReadAt >= ITEMS_MS) {
      await this.#readItems().catch((error: unknown) => this.#time.fail(error));
    }

    if (this.#results.isDue(this.#isIdle())) {
      await this.#writeResults();
      return true;
    }

    if (this.#isIdle()) return false;

    // Waits until a task or the start of an item ends, at most for one step.
    await Promise.race([this.#results.changes.raised, this.#ports.sleep(STEP_MS)]);
    return true;
  }

  async #writeResults(): Promise<void> {
    try {
      // Starts the new items in the next step.
      if (await this.#results.write(!this.#time.hasFailed)) this.#itemsReadAt = 0;
    } catch (error) {
      this.#time.fail(error);
    }
  }

  #isIdle(): boolean {
    return this.#starting === 0 && this.#lanes.isIdle;
  }

  /** What dead workers announced, while it is to be verified. */
  #announced(): readonly Announcement[] {
    return this.#isVerifying && this.#unverified ? [this.#unverified] : [];
  }

  /** Reads the items, and starts due items that are new to this pass. */
  async #readItems(): Promise<void> {
    const items = await this.#ports.items.of(this.#subscription);
    const now = this.#ports.now();

    this.#itemsReadAt = now.getTime();

    // Whether the item is due or not: until it is done, a read may show a dead worker's move.
    this.#isVerifying = items.some(({ kind }) => kind === 'verify');

    // Items that are read together share their reads of the index.
    const listing = this.#createListing();

    for (const item of items) {
      if (getDue(item, now) > now || this.#started.has(nameOf(item))) continue;

      const started = new PassItem(item, now);
      this.#started.set(nameOf(item), started);
      this.#starting += 1;

      // Not awaited: a slow call delays no other item.
      this.#start(started, listing).finally(() => {
        this.#starting -= 1;
        this.#results.changes.raise();
      });
    }
  }

  /** Adds the tasks and results of an item. Never throws. */
  async #start(started: PassItem, listing: Listing): Promise<void> {
    try {
      // The orders decide which uses to read.
      await this.#ports.states.readOrders(started.readOn);

      if (started.item.kind === 'key') await this.#startKey(started);
      else await this.#list(started, listing);
    } catch (error) {
      this.#limits.failItem(started, error);
    }
  }

  /** Adds a task for each use of a key. */
  async #startKey(started: PassItem): Promise<void> {
    const { rows: index, states, vaults } = this.#ports;
    const key = vaults.key(started.item.about);
    if (!key || !(await this.#listVersions(key, started))) return;

    const rows = await this.#rowReads(() => Array.fromAsync(index.of(key.id, this.#subscription)));

    // Uses with the earliest retry time come first, since the retry budget may not admit all.
    rows.sort((a, b) => compareText(a.notBefore ?? '', b.notBefore ?? ''));

    const { order } = states.known(key);

    for (const row of rows) {
      this.#lanes.add(createTask(row, key, started, false, order?.covers(row) === true));
    }
  }

  /**
   * Lists the versions from which tasks are selected, since no lane may wait for a vault that hangs.
   *
   * @returns false if Key Vault gave no list: the item is then postponed
   */
  async #listVersions(key: ManagedKey, started: PassItem): Promise<boolean> {
    const { reads } = this.#time;
    const limit = this.#vaultLists.get(key.vault.uri) ?? pLimit(VAULT_LISTS);
    this.#vaultLists.set(key.vault.uri, limit);

    const list = limit(async () => {
      if (!reads.aborted) await this.#ports.states.listVersions(key, started.readOn);
    });

    try {
      if (await untilAborted(list, reads)) return true;
      started.postpone(this.#ports.now(), 'Busy');
    } catch (error) {
      this.#log.unreadable(key, error);
      started.postpone(this.#in(getRetryDelay(started.item.attempts)), 'VaultUnreadable');
    }

    return false;
  }

  #createListing(): Listing {
    const pass = {
      subscription: this.#subscription,
      results: this.#results,
      limits: this.#limits,
      time: this.#time,
      lanes: this.#lanes,
      announced: this.#announced(),
      rowReads: this.#rowReads,
    };
    return new Listing(pass, this.#ports);
  }

  /** Compares accounts or encryption scopes with the index. */
  async #list(started: PassItem, listing: Listing): Promise<void> {
    const { subscriptionLists, subscriptionScopes } = this.#ports.capacity;

    switch (started.item.kind) {
      case 'account':
        return listing.account(started);
      case 'scopes':
        if (isAboutAccount(started.item)) return listing.accountScopes(started);

        // Reads the index again, since the listing before this one has changed it.
        return this.#scopeListings(() =>
          this.#listWithin(subscriptionScopes, started, () => this.#createListing().scopes(started)),
        );
      default:
        return this.#listWithin(subscriptionLists, started, () => listing.list(started));
    }
  }

  /** Lists once the instance's limit of concurrent listings admits it. If the pass ends first, postpones the item. */
  async #listWithin(limit: LimitFunction, started: PassItem, list: () => Promise<void>): Promise<void> {
    const { reads } = this.#time;
    let listing: Promise<void> | undefined;

    const counted = limit(async () => {
      if (reads.aborted) return;
      listing = list();
      await Promise.race([listing, this.#ports.sleep(SLOW_LISTING_MS)]);
    });

    await Promise.race([counted, reads.aborted ? undefined : once(reads, 'abort')]);

    if (listing) await listing;
    else started.postpone(this.#ports.now(), 'Busy');
  }

  async #serveLanes(): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const lane of this.#lanes) serving.push(this.#serve(lane));

    await Promise.all(serving);
  }

  /** Takes the tasks of a region in turn: selects, waits for a permit, and reconciles the use beside the next tasks. */
  async #serve(lane: Lane): Promise<void> {
    for await (const task of lane) {
      const row = this.#results.find(task.row) ?? task.row;
      const selected = await this.#select(task, row);
      const late = selected.do === 'read' && (await this.#limits.permit(lane.region, selected.request.calls));

      if (selected.do === 'read' && !late) {
        this.#reconcile(lane, task, selected.request).finally(() => this.#end(lane, task));
        continue;
      }

      if (selected.do === 'wait') this.#results.postpone(task, selected.until, selected.reason);
      if (selected.do === 'end') this.#results.add(task, row, selected.result);
      if (late) this.#results.add(task, row, createBlockedResult(row, late));

      this.#end(lane, task);
    }
  }

  async #select(task: Task, row: UseRow): Promise<Selected> {
    const { states, exclusions, now } = this.#ports;

    // At the end of a pass no store is asked.
    const state =
      needsRead(task, row) || this.#time.isStopping()
        ? states.known(task.key)
        : await states.readRollout(task.key, startOfRequest(task));
    const selected = selectTask(task, row, state, exclusions, now());

    if (selected.do === 'wait' || !this.#time.isStopping()) return selected;

    return { do: 'end', result: createBlockedResult(row, { reason: 'Busy', until: now() }) };
  }

  /** Reconciles a use within its permit, and adds the result. */
  async #reconcile(lane: Lane, task: Task, request: UseRequest): Promise<void> {
    const pass = { time: this.#time, lease: this.#lease, announced: this.#announced() };
    const result = await reconcileUse(request, pass, this.#ports);

    this.#limits.end(lane.region, result.hasAnswered);

    if (result.throttled) {
      const { code, retryAfterSeconds } = result.throttled;
      this.#limits.close(lane.region, 'account', code, retryAfterSeconds);
      lane.add(task);
      return;
    }

    this.#results.add(task, request.row, result);
  }

  #end(lane: Lane, task: Task): void {
    lane.release(task);
    this.#results.changes.raise();
  }

  #in(ms: number): Date {
    return new Date(this.#ports.now().getTime() + ms);
  }

  /** Deletes completed items, and postpones the others. Items that were put again during the pass remain unchanged. */
  async #finishItems(): Promise<Date | undefined> {
    const { items, now } = this.#ports;
    const at = now();

    // Put the keys' items before finishing the others, so that a crash in between loses no work.
    const decisions = [...this.#results.progressed.values()].map(({ key, cause }) => createKeyItem(key.id, cause, at));
    if (decisions.length > 0) await items.put(decisions);

    const dues: number[] = [];

    await pMap(
      this.#started.values(),
      async (started) => {
        const due = this.#nextOf(started, at);
        if (!due) {
          await items.finish(started.item);
          return;
        }

        const postponement = { due, attempts: started.item.attempts + 1, reason: started.reason };
        dues.push(due.getTime());
        if (await items.postpone(started.item, postponement)) this.#log.postponed(started.item, postponement);
      },
      { concurrency: CONCURRENCY },
    );

    if (!this.#time.hasFailed) await this.#lease.end(this.#isVerified() ? undefined : this.#announced()[0]);

    return dues.length > 0 ? new Date(Math.min(...dues)) : undefined;
  }

  /** Returns when an item is due again; undefined if it is done. */
  #nextOf({ next }: PassItem, at: Date): Date | undefined {
    if (next) return new Date(Math.min(next.getTime(), at.getTime() + LONGEST_WAIT_MS));

    // A failed pass may not have written its results.
    return this.#time.hasFailed ? this.#ports.now() : undefined;
  }

  /** Returns whether this pass finished the `verify` item. */
  #isVerified(): boolean {
    return [...this.#started.values()].some(({ item, next }) => item.kind === 'verify' && !next);
  }
}

function nameOf(item: WorkItem): string {
  return `${formatWorkRow(item)} ${item.etag}`;
}
