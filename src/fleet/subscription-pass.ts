import pMap from 'p-map';
import { describeFailure, errorText, mayPass } from '../azure/failure.ts';
import { type Calls, DEFAULT_RETRY_AFTER_SECONDS, type Usage } from '../azure/limiter.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { sameKeyName } from '../keys/key-identifier.ts';
import { type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { hasBeenSince } from '../time/has-been-since.ts';
import { DAY_MS } from '../time/spans.ts';
import type { Lease } from '../work/lease-client.ts';
import type { Cause } from '../work/messages.ts';
import type { FleetChange, UseRef } from './fleet-index.ts';
import { accountRow } from './fleet-keys.ts';
import { Lane, type Task, type Wanted } from './lane.ts';
import { Listing, type ListingPass } from './listing.ts';
import { nameOfUse } from './moved-uses.ts';
import { type Announcement, observe } from './observe.ts';
import { PassBudget } from './pass-budget.ts';
import { PassLog } from './pass-log.ts';
import {
  type Blocked,
  KeyUnreadableError,
  type Move,
  reconcileUse,
  type UsePorts,
  type UseResult,
} from './reconcile-use.ts';
import { areDifferent, type UseRow, versionOfRow } from './use-row.ts';
import {
  dueOf,
  LONGEST_WAIT_MS,
  type NewWorkItem,
  NO_SUBSCRIPTION,
  type Targets,
  type WorkItem,
  type WorkKind,
  workRow,
} from './work-items.ts';
import type { PassState, WorkerPorts } from './worker-ports.ts';

/** A list of versions is used for so long. Milliseconds. */
const LIST_MS = 5_000;
/** Items are read again this often while uses are worked on. Milliseconds. */
const ITEMS_MS = 5_000;
/** Results are written this often, or when there are so many. Milliseconds. */
const FLUSH_MS = 1_000;
const FLUSH_RESULTS = 100;
/** A record that could not be appended is tried again after so long. Milliseconds. */
const RECORD_AGAIN_MS = 30_000;
/** A key whose versions could not be listed is tried again after so long. Milliseconds. */
const LIST_AGAIN_MS = 15_000;
/** More accounts than that are not read one by one, but listed. */
const MOST_ACCOUNTS = 50;
/** Causes of work that compares the index with Azure. Exempt uses, and what `CMK_AUTOFIX` does not name, are not moved by it. */
const COMPARISONS: ReadonlySet<string> = new Set(['drift', 'start', 'list', 'upgrade']);
const MOVE: Calls = { reads: 1, writes: 1 };

/** Reason of an item whose list cannot be read. */
const UNREADABLE: Readonly<Partial<Record<WorkKind, Reason>>> = {
  ...{ list: 'SubscriptionUnreadable', verify: 'SubscriptionUnreadable', scopes: 'ScopesUnreadable' },
};

interface Result {
  readonly task: Task;
  readonly result: UseResult;
}

interface Listed {
  readonly changes: readonly FleetChange[];
  readonly listedOn: Date | undefined;
  readonly wantsScopes: 'first' | 'again' | undefined;
}

/** What a pass begins with. */
interface PassStart {
  readonly lease: Lease;
  readonly unclean: number;
  readonly usage: Usage;
}

/** One pass over the work of a subscription, by the holder of its lease. */
export class SubscriptionPass {
  readonly #subscription: string;
  readonly #until: Date;
  readonly #lease: Lease;
  readonly #unclean: number;
  readonly #budget: PassBudget;
  readonly #ports: WorkerPorts;
  readonly #startedOn: Date;
  /** By row and ETag. */
  readonly #wanted = new Map<string, Wanted>();
  readonly #lanes = new Map<string, Lane>();
  readonly #versions = new Map<string, { readonly at: number; readonly list: Promise<readonly KeyVersion[]> }>();
  /** When each list began. */
  readonly #listedAt = new WeakMap<readonly KeyVersion[], number>();
  /** What earlier passes announced that did not end well. */
  #announcedBefore: readonly Announcement[] = [];
  /** What this pass announced, and each that is being announced. */
  #targets: Targets = {};
  #announcing: Promise<void> = Promise.resolve();
  /** Uses as this pass left them: newer than what was read of the index before. */
  readonly #rows = new Map<string, UseRow>();
  /** What waits for the row of a use that the index lacks: a worker that takes over knows by the row what a move has left. */
  readonly #unwritten = new Map<string, (() => void)[]>();
  #results: Result[] = [];
  /** Ids of moves that this pass has appended to the trail. */
  readonly #recorded = new Set<string>();
  /** What is written once the rows of the results are: what a listing shows of accounts. */
  #changes: FleetChange[] = [];
  #listedOn: Date | undefined;
  /** Encryption scopes are to be listed; `first`: some never were. */
  #wantsScopes: 'first' | 'again' | undefined;
  readonly #listing: Listing;
  readonly #log: PassLog;
  /** Keys to reconcile again. */
  readonly #progressed = new Map<string, { readonly key: ManagedKey; readonly cause: Cause }>();
  #starting = 0;
  #moved = 0;
  #flushedAt = 0;
  #itemsReadAt = 0;
  /** The app's own storage failed: nothing more is begun. */
  #failure: unknown;
  #wake = () => {};

  constructor(subscription: string, until: Date, { lease, unclean, usage }: PassStart, ports: WorkerPorts) {
    this.#subscription = subscription;
    this.#until = until;
    this.#lease = lease;
    this.#unclean = unclean;
    this.#ports = ports;
    this.#startedOn = ports.now();
    this.#listing = new Listing(subscription, this.#listingPass(), ports);
    this.#log = new PassLog(subscription, ports);
    const stop = { isStopping: () => this.#isStopping(), until };
    this.#budget = new PassBudget({ ...ports, ...stop, usage, log: this.#log });
  }

  /** Keys to reconcile again; their items are put. */
  get progressed(): readonly ManagedKey[] {
    return [...this.#progressed.values()].map(({ key }) => key);
  }

  /** @returns how many moves it made. @throws what the app's own storage answered, once nothing is in flight any more */
  async run(): Promise<number> {
    for (;;) {
      const isIdle = this.#isIdle();
      if (!this.#isStopping() && (isIdle || this.#elapsed(this.#itemsReadAt) >= ITEMS_MS)) {
        const hasFound = await this.#readItems().catch((error: unknown) => this.#fail(error));
        if (hasFound) continue;
      }
      if (this.#shouldFlush()) await this.#flush();
      else if (!this.#isIdle()) await this.#wait();
      else if (isIdle) break;
    }
    const nextDue = this.#lease.held() ? await this.#finishItems() : undefined;
    this.#log.end(this.#moved, nextDue);
    if (this.#failure !== undefined) throw this.#failure;
    return this.#moved;
  }

  /** Waits until something has ended, or for a second. */
  async #wait(): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([woken, this.#ports.sleep(FLUSH_MS)]);
  }

  #isStopping(): boolean {
    return this.#failure !== undefined || !this.#lease.held() || this.#ports.now() >= this.#until;
  }

  #isIdle(): boolean {
    return this.#starting === 0 && [...this.#lanes.values()].every((lane) => lane.isIdle);
  }

  #shouldFlush(): boolean {
    const length = this.#results.length + this.#changes.length;
    const isLeft = length > 0 || this.#listedOn !== undefined || this.#wantsScopes !== undefined;
    return isLeft && (length >= FLUSH_RESULTS || this.#isIdle() || this.#elapsed(this.#flushedAt) >= FLUSH_MS);
  }

  #elapsed(since: number): number {
    return this.#ports.now().getTime() - since;
  }

  #fail(error: unknown): false {
    this.#failure ??= error;
    return false;
  }

  /** @returns whether there was work that this pass had not seen yet */
  async #readItems(): Promise<boolean> {
    const now = this.#ports.now();
    this.#itemsReadAt = now.getTime();
    const items = await this.#ports.items.of(this.#subscription);
    // Due or not: it is there since a worker died.
    this.#announcedBefore = items.filter(({ kind }) => kind === 'verify').map(announcementOfItem);
    const found = items.filter((item) => dueOf(item, now) <= now && !this.#wanted.has(nameOf(item)));
    const areMany = found.filter(({ kind }) => kind === 'account').length > MOST_ACCOUNTS;
    const [first] = found;
    if (areMany && first) await this.#ports.items.put([this.#itemOf('list', '', first.cause)]);
    for (const item of found) {
      const wanted: Wanted = { item, readOn: now, open: 1, next: undefined, reason: undefined };
      this.#wanted.set(nameOf(item), wanted);
      this.#starting += 1;
      // A call that hangs holds up no other item.
      const isListed = areMany && item.kind === 'account';
      void (isListed ? Promise.resolve() : this.#startItem(wanted))
        .catch((error: unknown) => this.#failItem(wanted, error))
        .finally(() => {
          this.#starting -= 1;
          wanted.open -= 1;
          this.#wake();
        });
    }
    return found.length > 0;
  }

  async #startItem(wanted: Wanted): Promise<void> {
    const { kind, about, targets = {} } = wanted.item;
    // Which uses are to be read depends on the orders.
    await this.#ports.gate.refresh(wanted.readOn);
    switch (kind) {
      case 'key':
        return this.#startKey(about, wanted);
      case 'account':
        return this.#listing.account(about, wanted);
      case 'verify':
        return this.#listing.list(
          wanted,
          Object.keys(targets).flatMap((key) => [key, ...this.#ports.gate.sourcesOf(key)]),
        );
      case 'list':
        return this.#listing.list(wanted, []);
      case 'scopes':
        return this.#listing.scopes(wanted);
    }
  }

  async #startKey(about: string, wanted: Wanted): Promise<void> {
    const key = this.#ports.vaults.key(about);
    if (!key) return;
    const versions = await this.#listed(key, wanted.readOn);
    const inIndex = new Set<string>();
    const consider = (row: UseRow): void => {
      inIndex.add(nameOfUse(row));
      if (wanted.item.fresh || this.#needsRead(row, key, versions)) this.#enqueue(row, key, wanted);
    };
    for await (const row of this.#ports.rows.of(key.id, this.#subscription)) consider(row);
    // What a list has just shown is not in the index yet.
    for (const [name, row] of this.#rows) if (row.key === key.id && !inIndex.has(name)) consider(row);
  }

  /** Whether the index gives a reason to read the use. */
  #needsRead(row: UseRow, key: ManagedKey, versions: readonly KeyVersion[]): boolean {
    if (row.movedFrom !== undefined || row.state === 'indeterminate') return true;
    const now = this.#ports.now();
    if (openRevocation(versions, now)) return false;
    if (this.#ports.gate.order(key)?.covers(row)) return true;
    const target = newestUsableVersion(versions, now);
    if (!target) return false;
    if (row.state === 'skipped' && row.target === target.id) return row.reason === 'LeftByCheck';
    const isPinnedElsewhere = row.pinned !== undefined && row.pinned !== target.version;
    return isPinnedElsewhere || versionOfRow(row) !== target.id || row.state === 'failed';
  }

  /** The pass as a listing sees it. */
  #listingPass(): ListingPass {
    const task = (row: UseRow, key: ManagedKey, wanted: Wanted): Task => ({
      ...{ row, key, rank: 0, mustRead: false, wanted: [wanted] },
    });
    const keepRow = (row: UseRow, key: ManagedKey, wanted: Wanted): void => {
      this.#rows.set(nameOfUse(row), row);
      this.#results.push({ task: task(row, key, wanted), result: { row, moves: [] } });
    };
    const latest = (row: UseRow): UseRow => this.#rows.get(nameOfUse(row)) ?? row;
    const keyOf = ({ key }: UseRow): ManagedKey | undefined => this.#ports.vaults.key(key);
    return {
      call: (...args) => this.#callWithinBudget(...args),
      compare: async (row, read, wanted) => {
        const known = row ? latest(row) : this.#rows.get(nameOfUse(read.about));
        const observation = observe(known, read, this.#announced());
        if (observation.outdated) return;
        const { row: seen, found, changed } = observation;
        const key = known ? keyOf(known) : seen && keyOf(seen);
        if (!key) return;
        const isSame = seen && !found && !changed && sameKeyName(seen.key, key.id);
        if (known && !isSame) this.#enqueue(known, key, wanted, true);
        if (!isSame) return;
        // No stage was decided with it.
        if (!known) this.#progress(key, wanted.item.cause);
        // The index may have lost what this pass has written.
        if (!known || !row || isWorthWriting(known, seen)) keepRow(seen, key, wanted);
        if (!row) this.#unwritten.set(nameOfUse(seen), this.#unwritten.get(nameOfUse(seen)) ?? []);
        // What cannot be listed now is the key's own item's.
        const versions = await this.#listed(key, wanted.readOn).catch(() => undefined);
        if (versions && this.#needsRead(seen, key, versions)) this.#enqueue(seen, key, wanted);
      },
      putAbout: (row, { account, location, wave, identity }, wanted) => {
        const { wave: _, identity: __, ...rest } = latest(row);
        const about = { account, location, ...(wave ? { wave } : {}), ...(identity ? { identity } : {}) };
        const next: UseRow = { ...rest, ...about };
        const key = keyOf(row);
        if (key && areDifferent(latest(row), next)) keepRow(next, key, wanted);
      },
      read: (row, wanted) => {
        const key = keyOf(row);
        if (key) this.#enqueue(row, key, wanted, true);
      },
      gone: (account, rows, wanted) => {
        const isOfAccount = (row: UseRow) => accountRow(row.account) === accountRow(account);
        // What this pass has not written yet is in no index.
        for (const row of new Set([...rows.map(latest), ...[...this.#rows.values()].filter(isOfAccount)])) {
          const key = keyOf(row);
          this.#changes.push({ drop: 'use', of: row });
          if (key) this.#progress(key, wanted.item.cause);
          this.#rows.delete(nameOfUse(row));
        }
      },
      write: (changes) => void this.#changes.push(...changes),
      wantScopes: (isFirst) => {
        this.#wantsScopes = isFirst ? 'first' : (this.#wantsScopes ?? 'again');
      },
      listed: (startedOn) => {
        this.#listedOn = startedOn;
      },
      failed: (wanted, error) => this.#failItem(wanted, error),
    };
  }

  /** Runs a call of a listing within the budgets. */
  async #callWithinBudget<T>(
    region: string,
    calls: Calls,
    wanted: Wanted,
    run: () => Promise<T>,
    reason?: Reason,
  ): Promise<{ readonly answer: T } | undefined> {
    const late = await this.#budget.permit(region, calls, wanted);
    if (late) {
      this.#postpone(wanted, late.until, late.reason === 'Throttled' ? (reason ?? late.reason) : late.reason);
      return undefined;
    }
    let isWell = true;
    try {
      return { answer: await run() };
    } catch (error) {
      const { kind, code, retryAfterSeconds = DEFAULT_RETRY_AFTER_SECONDS } = describeFailure(error);
      isWell = kind !== 'unavailable';
      if (kind !== 'throttled') throw error;
      this.#budget.close(region, calls.lists ? 'list' : 'account', code, retryAfterSeconds);
      this.#postpone(wanted, new Date(this.#ports.now().getTime() + retryAfterSeconds * 1000), reason ?? 'Throttled');
      return undefined;
    } finally {
      this.#budget.end(region, isWell);
    }
  }

  #announced(): readonly Announcement[] {
    return [...this.#announcedBefore, { startedOn: this.#startedOn, targets: this.#targets }];
  }

  /** Puts a use into the lane of its region, unless nothing is to be done about it now. */
  #enqueue(read: UseRow, key: ManagedKey, wanted: Wanted, mustRead = false): void {
    const waiting = this.#unwritten.get(nameOfUse(read));
    if (waiting) {
      waiting.push(() => this.#enqueue(read, key, wanted, mustRead));
      return;
    }
    const row = this.#rows.get(nameOfUse(read)) ?? read;
    const wait = this.#findWait(row);
    // What failed in an earlier pass is tried at once when it is wanted anew.
    const isAnew = row === read && row.state === 'failed' && wanted.item.attempts === 0 && wanted.item.kind === 'key';
    if (wait && !isAnew) {
      this.#postpone(wanted, wait, row.reason);
      return;
    }
    const region = row.location.toLowerCase();
    const lane = this.#lanes.get(region) ?? new Lane((task, permitted) => this.#work(task, region, permitted));
    this.#lanes.set(region, lane);
    wanted.open += 1;
    const isRekey = this.#ports.gate.order(key)?.covers(row) === true;
    lane.add({ row, key, rank: isRekey ? 2 : Number(row.attempts > 0), mustRead, wanted: [wanted] });
  }

  async #work(task: Task, region: string, permitted: () => void): Promise<void> {
    const row = this.#rows.get(nameOfUse(task.row)) ?? task.row;
    // Another task for the same use came first, and its PATCH may still land.
    const wait = row === task.row ? undefined : this.#findWait(row);
    if (wait) {
      this.#endTask(task, wait, row.reason);
      return;
    }
    let permits = 0;
    const usePorts = this.#makeUsePorts(task, async () => {
      // A further round follows an answer: one that probes the region does not wait for itself.
      for (; permits > 0; permits -= 1) this.#budget.end(region, true);
      const late = await this.#budget.permit(
        region,
        row.attempts > 0 ? { ...MOVE, purpose: 'retry' } : MOVE,
        task.wanted[0],
      );
      if (!late) permits += 1;
      permitted();
      return late;
    });
    const result = await reconcileUse(row, task.key, usePorts);
    for (; permits > 0; permits -= 1) this.#budget.end(region, result.isUnavailable !== true);
    if (result.throttled) {
      const { code, retryAfterSeconds } = result.throttled;
      this.#budget.close(region, 'account', code, retryAfterSeconds);
      this.#lanes.get(region)?.add(task);
      return;
    }
    const { blocked } = result;
    this.#log.result(row, result, task.key, causeOf(task));
    // What follows from it is decided anew: the next stage, another target, the end.
    if (blocked?.needsRollout || result.row !== row) this.#progress(task.key, causeOf(task));
    if (blocked) this.#endTask(task, blocked.until, blocked.reason);
    else this.#endTask(task, result.row && this.#findWait(result.row), result.row?.reason);
    if (result.row) this.#rows.set(nameOfUse(task.row), result.row);
    else this.#rows.delete(nameOfUse(task.row));
    if (result.row !== row || result.moves.length > 0) this.#results.push({ task: { ...task, row }, result });
  }

  /** @param next when to try again; undefined: the task is finished */
  #endTask({ wanted }: Task, next: Date | undefined, reason: Reason | undefined): void {
    for (const one of wanted) {
      one.open -= 1;
      if (next) this.#postpone(one, next, reason);
    }
    this.#wake();
  }

  /** Until when a use waits; undefined: it does not. A row waits no longer than an item. */
  #findWait({ notBefore = '' }: UseRow): Date | undefined {
    const due = dueOf({ due: new Date(notBefore) }, this.#ports.now());
    return due > this.#ports.now() ? due : undefined;
  }

  #makeUsePorts({ wanted, mustRead }: Task, permit: () => Promise<Blocked | undefined>): UsePorts {
    const { accounts, gate, isExempt, moved, refreshAutomatic, now } = this.#ports;
    const readOn = new Date(Math.max(...wanted.map((one) => one.readOn.getTime())));
    const isByComparison = wanted.every(({ item }) => COMPARISONS.has(item.cause.by));
    const stop = (reason: Reason): Blocked => ({ reason, until: now() });
    return {
      ...{ accounts, moved, refreshAutomatic, now, permit, mustRead },
      announced: () => this.#announced(),
      versions: (key, anew) =>
        this.#listed(key, anew ? now() : readOn).catch((error: unknown) => {
          throw new KeyUnreadableError(error);
        }),
      areCurrent: (lists) => lists.every((list) => this.#elapsed(this.#listedAt.get(list) ?? 0) <= LIST_MS),
      gate: async (row, key) => {
        const order = gate.order(key);
        const listed = async (of: ManagedKey) => {
          const versions = await this.#listed(of, readOn).catch(() => undefined);
          return versions && { key: of, versions };
        };
        const [from, to] = await Promise.all([listed(key), order?.covers(row) ? listed(order.to) : undefined]);
        if (!from) return { reason: 'VaultUnreadable', until: new Date(now().getTime() + LIST_AGAIN_MS) };
        return gate.blocked(row, from, to, readOn);
      },
      isAnnounced: (key, target) => this.#targets[key.id] === target,
      announce: (key, target) => this.#announce(key, target),
      stopped: (row, key, target) => (this.#isStopping() ? stop('Busy') : gate.stops(row, key, target)),
      order: (key) => gate.order(key),
      orderBetween: (from, to) => gate.orderBetween(from, to),
      isExempt: (row) => isByComparison && isExempt(row),
    };
  }

  /** A list that is five seconds old can move a use only forwards, at worst to the last version but one. */
  #listed(key: ManagedKey, since: Date): Promise<readonly KeyVersion[]> {
    const known = this.#versions.get(key.id);
    const nowMs = this.#ports.now().getTime();
    if (known && nowMs - known.at < LIST_MS && known.at >= since.getTime()) return known.list;
    const list = this.#ports.keys.listVersions(key);
    this.#versions.set(key.id, { at: nowMs, list });
    list.then(
      (versions) => this.#listedAt.set(versions, nowMs),
      () => this.#versions.delete(key.id),
    );
    return list;
  }

  /** Before the first PATCH to a version: a worker that takes over knows by it whose moves it finds. */
  #announce(key: ManagedKey, target: string): Promise<void> {
    const announced = this.#announcing.then(async () => {
      if (this.#targets[key.id] === target) return;
      const targets = { ...this.#targets, [key.id]: target };
      await this.#lease.save(this.#makeState(targets));
      this.#targets = targets;
    });
    this.#announcing = announced.catch(() => {});
    return announced;
  }

  #makeState(targets: Targets | undefined): PassState {
    const usage = Object.fromEntries(
      Object.entries(this.#budget.usage()).map(([name, taken]) => [name, taken.map(([n, calls]) => [n, calls])]),
    ) as PassState['usage'];
    if (!targets) return { unclean: 0, usage };
    return { pass: { startedOn: this.#startedOn.toISOString(), targets }, unclean: this.#unclean, usage };
  }

  /** Records, then rows: a row that has `movedFrom` is what a later pass makes the record from. */
  async #flush(): Promise<void> {
    const results = this.#results.splice(0);
    const listing = { changes: this.#changes.splice(0), listedOn: this.#listedOn, wantsScopes: this.#wantsScopes };
    this.#listedOn = undefined;
    this.#wantsScopes = undefined;
    this.#flushedAt = this.#ports.now().getTime();
    const moves = this.#findUnrecorded(results);
    if (moves.length > 0) for (const id of await this.#ports.record(moves)) this.#recorded.add(id);
    this.#moved += moves.length;
    for (const { move, cause } of moves) this.#log.moved(move, cause);
    if (!this.#lease.held()) return;
    // What the index lacks then is found by what this pass announced, as after a death.
    await this.#writeRows(results)
      // A reader of the listing finds the rows that it stands for.
      .then(() => this.#writeListing(listing))
      .catch((error: unknown) => this.#fail(error));
  }

  /** A use that is read again before its row is written shows its move once more: the answer to the PATCH comes first. */
  #findUnrecorded(results: readonly Result[]): { readonly move: Move; readonly cause: Cause }[] {
    const byId = new Map<string, { readonly move: Move; readonly cause: Cause }>();
    for (const { task, result } of results) {
      for (const move of result.moves) {
        if (!this.#recorded.has(move.id) && !byId.has(move.id)) byId.set(move.id, { move, cause: causeOf(task) });
      }
    }
    return [...byId.values()];
  }

  async #writeListing({ changes, listedOn, wantsScopes }: Listed): Promise<void> {
    const { fleet, items, now } = this.#ports;
    if (changes.length > 0) await fleet.write(changes);
    if (wantsScopes) {
      const item = this.#itemOf('scopes', '', { by: 'list', ref: '', since: now().toISOString() });
      // Replaces one that is being worked on: it has not seen these accounts.
      await items.put([wantsScopes === 'first' ? { ...item, reason: 'ScopesNotListed' } : item]);
    }
    // Unless an earlier part of it could not be written.
    if (listedOn && this.#failure === undefined) await fleet.listed(this.#subscription, listedOn);
  }

  async #writeRows(results: readonly Result[]): Promise<void> {
    const put = new Map<string, UseRow>();
    const drop: UseRef[] = [];
    const items: NewWorkItem[] = [];
    for (const { task, result } of results) {
      const { row, moves, changed } = result;
      const isRecorded = moves.length > 0 && moves.every(({ id }) => this.#recorded.has(id));
      if (moves.length > 0 && !isRecorded) {
        const again = new Date(this.#ports.now().getTime() + RECORD_AGAIN_MS);
        for (const wanted of task.wanted) this.#postpone(wanted, again, 'AuditFailed');
      }
      const isMovedAway = row !== undefined && row.key.toLowerCase() !== task.row.key.toLowerCase();
      if (!row || isMovedAway) drop.push(task.row);
      // What else the index has of the account goes with it.
      if (!row && task.row.scope === undefined) items.push(this.#itemOf('account', task.row.account, causeOf(task)));
      if (!row) continue;
      const { movedFrom: _, ...rest } = row;
      const kept = isRecorded ? rest : row;
      this.#rows.set(nameOfUse(task.row), kept);
      put.set(`${row.key} ${nameOfUse(row)}`, kept);
      const other = isMovedAway ? this.#ports.vaults.key(row.key) : undefined;
      if (other) this.#progress(other, causeOf(task));
      if (other && changed) items.push(this.#itemOf('key', other.id, causeOf(task)));
    }
    if (items.length > 0) await this.#ports.items.put(items);
    // Of a use that changes its key the new row is there before the old one goes.
    if (put.size > 0) await this.#ports.rows.put([...put.values()]);
    for (const row of put.values()) {
      const waiting = this.#unwritten.get(nameOfUse(row)) ?? [];
      this.#unwritten.delete(nameOfUse(row));
      for (const enqueue of waiting) enqueue();
    }
    if (drop.length > 0) await this.#ports.rows.drop(drop);
  }

  #itemOf(kind: WorkKind, about: string, cause: Cause): NewWorkItem {
    const now = this.#ports.now();
    return { subscription: this.#subscription, kind, about, due: now, since: now, cause };
  }

  #postpone(wanted: Wanted, next: Date, reason: Reason | undefined): void {
    if (wanted.next && wanted.next <= next) return;
    wanted.next = next;
    wanted.reason = reason;
  }

  #failItem(wanted: Wanted, error: unknown): void {
    const { kind, attempts } = wanted.item;
    const isPassing = mayPass(describeFailure(error));
    const seconds = isPassing ? Math.min(15 * 2 ** attempts, 300) : 3_600;
    const reason = UNREADABLE[kind] ?? 'PassFailed';
    this.#postpone(wanted, new Date(this.#ports.now().getTime() + seconds * 1000), reason);
    const message = `${REASONS[reason]} ${errorText(error)}`;
    const level = isPassing ? 'warning' : 'error';
    this.#ports.log({ level, reason, message, subscription: this.#subscription });
  }

  /** The key is reconciled again, for the same cause. A comparison yields to any other cause: it leaves exempt uses where they are. */
  #progress(key: ManagedKey, cause: Cause): void {
    const known = this.#progressed.get(key.id);
    if (!known || COMPARISONS.has(known.cause.by)) this.#progressed.set(key.id, { key, cause });
  }

  /** Items that are done are deleted, and the others postponed; one that was put anew meanwhile stays as it is. */
  async #finishItems(): Promise<Date | undefined> {
    const { items, now } = this.#ports;
    const isWhole = this.#failure === undefined;
    const at = now();
    // Before the items that they come from are finished: neither is lost by a death in between.
    const decisions = [...this.#progressed.values()].map(
      ({ key, cause }): NewWorkItem => ({
        ...{ subscription: NO_SUBSCRIPTION, kind: 'key', about: key.id, due: at, since: at, cause },
      }),
    );
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
        const postponement = { due, attempts: item.attempts + 1, ...(reason ? { reason } : {}) };
        dues.push(due.getTime());
        if (await items.postpone(item, postponement)) this.#log.postponed(item, postponement);
      },
      { concurrency: CONCURRENCY },
    );
    if (isWhole) await this.#lease.save(this.#makeState(undefined));
    return dues.length > 0 ? new Date(Math.min(...dues)) : undefined;
  }
}

function causeOf({ wanted }: Task): Cause {
  return wanted[0]?.item.cause ?? { by: 'operator', ref: '', since: '' };
}

function announcementOfItem({ since, targets = {} }: WorkItem): Announcement {
  return { startedOn: since, targets };
}

function nameOf(item: WorkItem): string {
  return `${workRow(item)} ${item.etag}`;
}

/** Of the same version: something else has changed, or the row was not written for a day. */
function isWorthWriting(known: UseRow, seen: UseRow): boolean {
  return (
    areDifferent(known, seen) || !hasBeenSince(known.readOn, Date.parse(seen.readOn) - DAY_MS, new Date(seen.readOn))
  );
}
