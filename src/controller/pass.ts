import { once } from 'node:events';
import pLimit, { type LimitFunction } from 'p-limit';
import pMap from 'p-map';
import { untilAborted } from '../azure/deadline.ts';
import type { Calls, Usage } from '../azure/limiter.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import type { Reason } from '../errors/reasons.ts';
import { hasBeenSince } from '../formats/spans.ts';
import { compareText } from '../formats/text.ts';
import type { UseRow } from '../index/use-row.ts';
import {
  createKeyItem,
  formatWorkRow,
  getDue,
  getRetryDelay,
  isAboutAccount,
  isComparison,
  LONGEST_WAIT_MS,
  type WorkItem,
  type WorkKind,
} from '../index/work-items.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Lease } from '../work/lease-client.ts';
import { Lane, type Task, Wanted } from './lane.ts';
import { Listing } from './listing.ts';
import { getKeyOfVersion } from './observe.ts';
import { PassBudget } from './pass-budget.ts';
import { createPassLog, type PassLog } from './pass-log.ts';
import { getCause, PassResults } from './pass-results.ts';
import { type Announcement, formatState, hasTargets, type Targets } from './pass-state.ts';
import type { Plan } from './plan.ts';
import { isRefreshed, markFinished, planKnown, reconcileUse, type UsePorts, type UseResult } from './reconcile-use.ts';
import type { Blocked } from './rollout-gate.ts';
import type { FleetServices } from './worker-ports.ts';

/** Interval at which a running pass reads its work items. Milliseconds. */
const ITEMS_MS = 5_000;
/** Longest wait between checks of the clock. Milliseconds. */
const STEP_MS = 1_000;
/** After this time, a slow listing no longer counts towards the instance's limit, so that it delays no other. Milliseconds. */
const SLOW_LISTING_MS = 60_000;
/** Concurrent lists of a vault's keys at the start of their items: one that hangs delays only keys of its vault. */
const VAULT_LISTS = 32;
/** Interval at which a waiting listing checks the pending results. Milliseconds. */
const BACKPRESSURE_MS = 50;

export interface PassStart {
  readonly lease: Lease;
  /** Consecutive passes before this one that did not end. */
  readonly unclean: number;
  readonly usage: Usage;
  /** What dead workers announced, until the `verify` item is done. */
  readonly unverified: Announcement | undefined;
}

/**
 * One pass of the lease holder over a subscription's work: items → uses, in a lane for each region → gate, permit and
 * {@link reconcileUse} for each use → results → items.
 */
export class Pass {
  readonly subscription: string;
  readonly until: Date;
  readonly lease: Lease;
  readonly #unclean: number;
  readonly #ports: FleetServices;
  readonly #startedOn: Date;
  readonly budget: PassBudget;
  readonly results: PassResults;
  readonly #usePorts: UsePorts;
  readonly log: PassLog;
  /** Concurrent reads of the index by key, since a subscription may use thousands of keys. */
  readonly rowReads = pLimit(CONCURRENCY);
  /** Started items, by row and ETag. */
  readonly #wanted = new Map<string, Wanted>();
  readonly #lanes = new Map<string, Lane>();
  /** A second listing of scopes waits for the first, and then finds only the accounts left. */
  readonly #scopeListings = pLimit(1);
  /** The limit of concurrent lists of versions, for each vault. */
  readonly #vaultLists = new Map<string, LimitFunction>();
  readonly #unverified: Announcement | undefined;
  /** Whether a `verify` item exists. */
  #isVerifying = false;
  /** The announced version of each key, including those that the next announcement saves. */
  #targets: Targets = {};
  #wantedTargets: Targets = {};
  /** The last announcement: the pass saves one at a time. */
  #announcing: Promise<void> = Promise.resolve();
  /** Aborted when the time for writes is over. */
  readonly #writes = new AbortController();
  #starting = 0;
  #itemsReadAt = 0;
  /** An error of the app's own storage, after which the pass starts no more calls. */
  #failure: unknown;
  #wake = () => {};

  constructor(
    subscription: string,
    until: Date,
    { lease, unclean, usage, unverified }: PassStart,
    ports: FleetServices,
  ) {
    this.subscription = subscription;
    this.until = until;
    this.lease = lease;
    this.#unclean = unclean;
    this.#unverified = unverified;
    this.#ports = ports;
    this.#startedOn = ports.now();
    this.log = createPassLog(subscription, ports);
    this.budget = new PassBudget(this, usage, ports);
    this.results = new PassResults(this, ports);

    this.#usePorts = {
      ...ports,
      reads: this.budget.reads.signal,
      writes: this.#writes.signal,
      announced: () => (this.unverified ? [this.unverified] : []),
      admit: (row, key, target, since) => this.#admit(row, key, target, since),
      stopped: (row, key, target) =>
        this.isStopping() ? { reason: 'Busy', until: ports.now() } : ports.gate.stops(row, key, target),
    };
  }

  /**
   * @returns keys to reconcile after the pass; their work items are already stored
   * @throws an error of the app's own storage, after all calls in flight ended
   */
  async run(): Promise<readonly ManagedKey[]> {
    // This is saved before all work, so that a worker that dies in a list counts, too.
    await this.#save({ isRunning: true });

    for (;;) {
      this.#endCalls();

      // `reconcileSubscription` reads the items again after the pass, and finds later items.
      if (!this.isStopping() && this.#ports.now().getTime() - this.#itemsReadAt >= ITEMS_MS) {
        await this.#readItems().catch((error: unknown) => this.#fail(error));
      }

      if (this.results.isDue(this.#isIdle())) {
        const isWhole = this.#failure === undefined;
        const hasPutItems = await this.results.write(isWhole).catch((error: unknown) => this.#fail(error));

        // Starts the new items in the next loop.
        if (hasPutItems) this.#itemsReadAt = 0;
      } else if (this.#isIdle()) break;
      else await this.#wait();
    }

    // A failed pass of a living worker does not count as a dead worker.
    if (this.#failure !== undefined && this.lease.held()) await this.#save({ isRunning: false }).catch(() => {});

    const nextDue = this.lease.held() ? await this.#finishItems() : undefined;

    this.log.end(nextDue);

    if (this.#failure !== undefined) throw this.#failure;

    return [...this.results.progressed.values()].map(({ key }) => key);
  }

  /** Waits until a task or the start of an item ends, at most for one step. */
  async #wait(): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([woken, this.#ports.sleep(STEP_MS)]);
  }

  /** What dead workers announced, while it is to be verified. */
  get unverified(): Announcement | undefined {
    return this.#isVerifying ? this.#unverified : undefined;
  }

  /** Makes a listing wait while too many results are pending. */
  async applyBackpressure(): Promise<void> {
    while (this.results.isFull && !this.isStopping()) {
      this.#wake();
      await this.#ports.sleep(BACKPRESSURE_MS);
    }
  }

  /** Returns whether the pass starts no more calls: the lease is lost, the time is over, or the app's storage fails. */
  isStopping(): boolean {
    return this.#failure !== undefined || !this.lease.held() || this.#ports.now() >= this.until;
  }

  /** Aborts calls at their deadline: a slow region must not delay the next pass, which serves the other regions. */
  #endCalls(): void {
    const { now, writesUntil } = this.#ports;
    if (this.isStopping()) this.budget.reads.abort();
    if (writesUntil && now() >= writesUntil) this.#writes.abort();
  }

  #isIdle(): boolean {
    return this.#starting === 0 && [...this.#lanes.values()].every((lane) => lane.isIdle);
  }

  /** Stops the pass. @returns false: no items were put */
  #fail(error: unknown): false {
    this.#failure ??= error;
    return false;
  }

  /** Reads the items, and starts due items that are new to this pass. */
  async #readItems(): Promise<void> {
    const items = await this.#ports.items.of(this.subscription);
    const now = this.#ports.now();

    this.#itemsReadAt = now.getTime();

    // Whether the item is due or not: until it is done, a read may show a dead worker's move.
    this.#isVerifying = items.some(({ kind }) => kind === 'verify');

    const found = items.filter((item) => getDue(item, now) <= now && !this.#wanted.has(nameOf(item)));

    // Reads the index again for items that came later.
    const listing = new Listing(this, this.#ports);
    const { subscriptionLists, subscriptionScopes } = this.#ports.capacity;
    const start: Readonly<Record<WorkKind, (wanted: Wanted) => Promise<void>>> = {
      key: (wanted) => this.#startKey(wanted),
      account: (wanted) => listing.account(wanted),
      list: (wanted) => this.#listWithin(subscriptionLists, wanted, () => listing.list(wanted)),
      verify: (wanted) => this.#listWithin(subscriptionLists, wanted, () => listing.list(wanted)),
      scopes: (wanted) =>
        isAboutAccount(wanted.item)
          ? listing.accountScopes(wanted)
          : this.#scopeListings(() =>
              this.#listWithin(subscriptionScopes, wanted, () => new Listing(this, this.#ports).scopes(wanted)),
            ),
    };

    for (const item of found) {
      const wanted = new Wanted(item, now);
      this.#wanted.set(nameOf(item), wanted);
      this.#starting += 1;

      // Not awaited: a slow call delays no other item. Reads the orders first, since orders decide which uses to read.
      void this.#ports.gate
        .refresh(now)
        .then(() => start[item.kind](wanted))
        .catch((error: unknown) => this.budget.failItem(wanted, error))
        .finally(() => {
          this.#starting -= 1;
          this.#wake();
        });
    }
  }

  /** Lists once the instance's limit of concurrent listings admits it. If the pass ends first, postpones the item. */
  async #listWithin(limit: LimitFunction, wanted: Wanted, list: () => Promise<void>): Promise<void> {
    const { signal } = this.budget.reads;
    let listing: Promise<void> | undefined;
    const counted = limit(async () => {
      if (signal.aborted) return;
      listing = list();
      await Promise.race([listing, this.#ports.sleep(SLOW_LISTING_MS)]);
    });

    await Promise.race([counted, signal.aborted ? undefined : once(signal, 'abort')]);

    if (listing) await listing;
    else wanted.postpone(this.#ports.now(), 'Busy');
  }

  async #startKey(wanted: Wanted): Promise<void> {
    const key = this.#ports.vaults.key(wanted.item.about);
    if (!key || !(await this.#listVersions(key, wanted))) return;
    const rows = await this.rowReads(() => Array.fromAsync(this.#ports.rows.of(key.id, this.subscription)));
    // Uses with the earliest retry time come first, since the retry budget may not admit all.
    rows.sort((a, b) => compareText(a.notBefore ?? '', b.notBefore ?? ''));
    for (const row of rows) this.enqueue(row, key, wanted, false);
  }

  /**
   * Lists the versions from which the lanes plan, since no lane may wait for a vault that hangs.
   *
   * @returns false if Key Vault gave no list: the item is then postponed
   */
  async #listVersions(key: ManagedKey, wanted: Wanted): Promise<boolean> {
    const { versions, gate } = this.#ports;
    const { signal } = this.budget.reads;
    const limit = this.#vaultLists.get(key.vault.uri) ?? pLimit(VAULT_LISTS);

    this.#vaultLists.set(key.vault.uri, limit);

    const list = async (): Promise<void> => {
      if (signal.aborted) return;
      const order = gate.order(key);
      // Without a list of the target key, the uses follow their own key.
      const target = order && versions.read(order.to, wanted.readOn).catch(() => {});
      await Promise.all([versions.read(key, wanted.readOn), target]);
    };

    try {
      if (await untilAborted(limit(list), signal)) return true;
      wanted.postpone(this.#ports.now(), 'Busy');
    } catch (error) {
      this.log.unreadable(key, error);
      wanted.postpone(this.#in(getRetryDelay(wanted.item.attempts)), 'VaultUnreadable');
    }

    return false;
  }

  /** Returns whether an exemption forbids these items to move the use. */
  #isExempt(row: UseRow, all: readonly Wanted[]): boolean {
    return all.every(({ item }) => isComparison(item.cause)) && this.#ports.isExempt(row);
  }

  /**
   * Queues a use in its region's lane.
   *
   * @param row its row in the index
   * @param mustRead whether a list and the index differ; the read then writes the row
   */
  enqueue(row: UseRow, key: ManagedKey, wanted: Wanted, mustRead: boolean): void {
    const region = row.location.toLowerCase();
    const work = (task: Task, permitted: () => void) => this.#work(task, region, permitted).finally(() => this.#wake());
    const lane = this.#lanes.get(region) ?? new Lane(work);
    this.#lanes.set(region, lane);
    const isRekey = this.#ports.gate.order(key)?.covers(row) === true;
    const rank = isRekey ? 2 : Number(row.attempts > 0 || row.movedFrom !== undefined);
    lane.add({ row, key, rank, mustRead, wanted: [wanted] });
  }

  async #work(task: Task, region: string, permitted: () => void): Promise<void> {
    const { key, wanted } = task;
    const row = this.results.find(task.row) ?? task.row;
    const nextTry = this.#nextTry(row);
    if (nextTry && !this.#isTriedNow(row, task)) {
      this.#postpone(task, nextTry, row.reason);
      return;
    }

    if (this.isStopping()) {
      this.#end(row, { row, moves: [], blocked: { reason: 'Busy', until: this.#ports.now() } }, task);
      return;
    }

    const since = new Date(Math.max(...wanted.map(({ readOn }) => readOn.getTime())));

    // The gate does not block reads after a PATCH without an answer, or after a move without a record.
    const mustRead = task.mustRead || row.state === 'indeterminate' || row.movedFrom !== undefined;
    const isExempt = this.#isExempt(row, wanted);

    // `reconcileUse` plans again from fresh lists, in parallel with other uses.
    const plan = planKnown({ row, key, since, isExempt }, this.#ports);
    const decided = mustRead || !plan ? undefined : await this.#decide(row, plan, since, task);
    if (decided === 'needless') return;

    if (decided) {
      // A result without a call to Azure needs no permit.
      this.#end(row, decided, task);
      return;
    }

    // A list shows another state than the row, so the row does not tell whether a write is needed. Most reads after a
    // list confirm what Storage or an operator changed, and must not use the hourly write budget.
    const isPlanned = !task.mustRead && plan?.write === true && !isRefreshed(row, plan);
    const mayWrite = isPlanned || row.state === 'indeterminate';
    const calls: Calls = { reads: 1, writes: Number(mayWrite), purpose: row.attempts > 1 ? 'retry' : undefined };
    const blocked = await this.budget.permit(region, calls);
    if (blocked) {
      this.#end(row, { row, moves: [], blocked }, task);
      return;
    }

    permitted();

    // The change check puts the items of accounts.
    const isChecked = wanted.some(({ item }) => isAboutAccount(item));

    // The use needs a PATCH, but the task has no write permit. The retry requests one.
    const requestWrite = async (): Promise<Blocked> => ({ reason: 'Busy', until: this.#ports.now() });
    const ports = { ...this.#usePorts, ...(mayWrite ? {} : { admit: requestWrite }) };
    const result = await reconcileUse({ row, key, since, isExempt, isChecked }, ports);

    this.budget.end(region, result.isWell);

    if (result.throttled) {
      this.budget.close(region, 'account', result.throttled.code, result.throttled.retryAfterSeconds);
      this.#lanes.get(region)?.add(task);
    } else this.#end(row, result, task);
  }

  /** Returns whether a new item, or a dead worker's possible move, retries a failed use at once. */
  #isTriedNow({ state, notBefore }: UseRow, { row, wanted }: Task): boolean {
    const isNewRequest = ({ item: { kind, attempts } }: Wanted) =>
      kind === 'verify' || (kind === 'key' && attempts === 0);
    // Otherwise, an earlier task of this pass has retried the use.
    return state === 'failed' && notBefore === row.notBefore && wanted.some(isNewRequest);
  }

  #end(row: UseRow, result: UseResult, task: Task): void {
    const { key, wanted } = task;
    const { blocked, isRead = false } = result;
    this.log.result(row, result, key, getCause(wanted));
    // `reconcileKey` decides whether the result starts the next stage or ends the rollout, and detects a pause's end.
    if (blocked?.needsRollout || blocked?.reason === 'Paused' || result.row !== row)
      this.results.progress(key, getCause(wanted));
    const next = blocked ? blocked.until : result.row && this.#nextTry(result.row);
    if (next) this.#postpone(task, next, blocked?.reason ?? result.row?.reason, isRead);
    this.results.add(row, result, wanted);
  }

  /**
   * Decides from the row whether the use needs a read now. Never throws.
   *
   * @param plan from the row
   * @returns undefined if it needs a read; `needless` if its row stays as it is
   */
  async #decide(
    row: UseRow,
    plan: Plan,
    since: Date,
    { key, wanted }: Task,
  ): Promise<UseResult | 'needless' | undefined> {
    const now = this.#ports.now();

    // A use that was read since the item's request needs no second read.
    const requestsRead = ({ item }: Wanted) => item.fresh && !hasBeenSince(row.readOn, item.since.getTime(), now);
    if (!wanted.some(requestsRead)) {
      if (!mayChange(row, plan)) return 'needless';

      // A fleet of exempt uses would spend the budget of reads, and each read would confirm its row.
      if (plan.reason === 'LeftByCheck' && row.state !== 'failed') return { row: markFinished(row, plan), moves: [] };
    }

    const { target, reason } = plan;
    const blocked = target ? await this.#ports.gate.blocked(row, key, target.id, since) : { reason };

    return blocked && { row, moves: [], blocked };
  }

  async #admit(row: UseRow, key: ManagedKey, target: string, since: Date): Promise<Blocked | undefined> {
    const blocked = await this.#ports.gate.blocked(row, key, target, since);
    if (blocked) return blocked;
    try {
      await this.#announce(target);
      return undefined;
    } catch (error) {
      this.#fail(error);
      return { reason: 'ServiceUnavailable', until: this.#in(getRetryDelay(0)) };
    }
  }

  /** Saves a target before its first PATCH, so that the next worker after a takeover can attribute the move. */
  #announce(target: string): Promise<void> {
    const key = getKeyOfVersion(target);
    this.#wantedTargets = { ...this.#wantedTargets, [key]: target };

    const announce = async (): Promise<void> => {
      if (this.#targets[key] === target) return;
      // One write announces all targets that waited for the write before.
      const targets = this.#wantedTargets;
      await this.#save({ isRunning: true, targets });
      this.#targets = targets;
    };

    this.#announcing = this.#announcing.then(announce, announce);

    return this.#announcing;
  }

  /** Saves the state of a pass that runs, or that failed. */
  async #save({ isRunning, targets = this.#targets }: { readonly isRunning: boolean; readonly targets?: Targets }) {
    const pass = { startedOn: this.#startedOn, targets };
    const state = {
      unverified: this.#unverified,
      unclean: this.#unclean + Number(isRunning),
      usage: this.budget.usage(),
    };
    await this.lease.save(formatState(isRunning || hasTargets(pass) ? { ...state, pass } : state));
  }

  /** Returns when a retry of the use is due; undefined: now. The same limit applies to rows and items. */
  #nextTry({ notBefore = '' }: UseRow): Date | undefined {
    const due = getDue({ due: new Date(notBefore) }, this.#ports.now());
    return due > this.#ports.now() ? due : undefined;
  }

  #in(ms: number): Date {
    return new Date(this.#ports.now().getTime() + ms);
  }

  /**
   * Schedules a retry of a use. Postpones `key` items, and `verify` items until a worker has read the use: that read shows
   * whether a dead worker moved it. Also postpones an item whose list differs from the index until the use is read, so
   * that the index gets the difference. Every other item ends here, and the key's own item retries the use.
   *
   * @param isRead whether the row has the state in Azure; absent if the use was not due
   */
  #postpone({ row, wanted: all, key, mustRead }: Task, next: Date, reason: Reason | undefined, isRead?: boolean): void {
    // A pending row with a retry time was read: the use waits for the check of another actor's change.
    const isUnread = mustRead && !isRead && (isRead === false || (this.results.find(row) ?? row).state !== 'pending');
    for (const wanted of all) {
      const { kind, cause } = wanted.item;
      if (kind === 'key' || isUnread || (kind === 'verify' && !isRead)) wanted.postpone(next, reason);
      else this.results.progress(key, cause);
    }
  }

  /** Deletes completed items, and postpones the others. Items that were put again during the pass remain unchanged. */
  async #finishItems(): Promise<Date | undefined> {
    const { items, now } = this.#ports;
    const isWhole = this.#failure === undefined;
    const at = now();

    // Put the keys' items before finishing the others, so that a crash in between loses no work.
    const decisions = [...this.results.progressed.values()].map(({ key, cause }) => createKeyItem(key.id, cause, at));
    if (decisions.length > 0) await items.put(decisions);

    const dues: number[] = [];

    await pMap(
      this.#wanted.values(),
      async ({ item, next, reason }) => {
        const latest = new Date(at.getTime() + LONGEST_WAIT_MS);
        const due = next && next > latest ? latest : (next ?? (isWhole ? undefined : now()));
        if (!due) {
          await items.finish(item);
          return;
        }
        const postponement = { due, attempts: item.attempts + 1, reason };
        dues.push(due.getTime());
        if (await items.postpone(item, postponement)) this.log.postponed(item, postponement);
      },
      { concurrency: CONCURRENCY },
    );

    if (isWhole) {
      const unverified = this.#isVerified() ? undefined : this.unverified;
      await this.lease.save(formatState({ unverified, unclean: 0, usage: this.budget.usage() }));
    }

    return dues.length > 0 ? new Date(Math.min(...dues)) : undefined;
  }

  /** Returns whether this pass finished the `verify` item. */
  #isVerified(): boolean {
    return [...this.#wanted.values()].some(({ item, next }) => item.kind === 'verify' && !next);
  }
}

/** Returns whether the plan needs a PATCH, or another state of the row. */
function mayChange(row: UseRow, plan: Plan): boolean {
  if (plan.write) return !isRefreshed(row, plan);
  if (plan.reason === 'UpToDate') return row.state === 'failed';
  return plan.target !== undefined && (row.state !== 'skipped' || row.target !== plan.target.id);
}

function nameOf(item: WorkItem): string {
  return `${formatWorkRow(item)} ${item.etag}`;
}
