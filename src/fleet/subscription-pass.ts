import pMap from 'p-map';
import { errorText } from '../azure/failure.ts';
import { type Calls, Limiter, type Usage } from '../azure/limiter.ts';
import { type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { Lease } from '../work/lease-client.ts';
import type { Cause } from '../work/messages.ts';
import type { UseRef } from './fleet-index.ts';
import { accountId, accountRow } from './fleet-keys.ts';
import { Lane, type Task, type Wanted } from './lane.ts';
import { nameOfUse } from './moved-uses.ts';
import { type Announcement, observe, type ReadUse } from './observe.ts';
import { readUse, useOfAccount } from './read-use.ts';
import { type Blocked, KeyUnreadableError, reconcileUse, type UsePorts, type UseResult } from './reconcile-use.ts';
import { type UseRow, versionOfRow } from './use-row.ts';
import { type NewWorkItem, NO_SUBSCRIPTION, type Targets, type WorkItem, workRow } from './work-items.ts';
import type { PassState, WorkerPorts } from './worker-ports.ts';

/** A list of versions is used for so long. Milliseconds. */
const LIST_MS = 5_000;
/** Items are read again this often while uses are worked on. Milliseconds. */
const ITEMS_MS = 5_000;
/** Results are written this often, or when there are so many. Milliseconds. */
const FLUSH_MS = 1_000;
const FLUSH_RESULTS = 100;
/** What Azure admits later than that is left to the next pass, so that no worker waits for budgets. Milliseconds. */
const LONGEST_WAIT_MS = 30_000;
/** A record that could not be appended is tried again after so long. Milliseconds. */
const RECORD_AGAIN_MS = 30_000;
/** A key whose versions could not be listed is tried again after so long. Milliseconds. */
const LIST_AGAIN_MS = 15_000;
const CONCURRENCY = 8;
/** Calls that are not about one region. */
const NO_REGION = '';
const MOVE: Calls = { reads: 1, writes: 1 };

interface Result {
  readonly task: Task;
  readonly result: UseResult;
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
  readonly #limiter: Limiter;
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
  #results: Result[] = [];
  /** Keys on which is to be decided again. */
  readonly #progressed = new Map<string, ManagedKey>();
  #beginning = 0;
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
    this.#limiter = new Limiter(ports.budgetShare, usage);
    this.#ports = ports;
    this.#startedOn = ports.now();
  }

  /** Keys on which is to be decided again; their items are put. */
  get progressed(): readonly ManagedKey[] {
    return [...this.#progressed.values()];
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
    if (this.#lease.held()) await this.#settle();
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
    return this.#beginning === 0 && [...this.#lanes.values()].every((lane) => lane.isIdle);
  }

  #shouldFlush(): boolean {
    const { length } = this.#results;
    return length > 0 && (length >= FLUSH_RESULTS || this.#isIdle() || this.#elapsed(this.#flushedAt) >= FLUSH_MS);
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
    const found = items.filter((item) => item.due <= now && !this.#wanted.has(nameOf(item)));
    for (const item of found) {
      const wanted: Wanted = { item, readOn: now, open: 1, next: undefined, reason: undefined };
      this.#wanted.set(nameOf(item), wanted);
      this.#beginning += 1;
      // A call that hangs holds up no other item.
      void this.#begin(wanted)
        .catch((error: unknown) => this.#failItem(wanted, error))
        .finally(() => {
          this.#beginning -= 1;
          wanted.open -= 1;
          this.#wake();
        });
    }
    return found.length > 0;
  }

  async #begin(wanted: Wanted): Promise<void> {
    const { kind, about, targets = {} } = wanted.item;
    // Which uses are to be read depends on the orders.
    await this.#ports.gate.refresh(wanted.readOn);
    switch (kind) {
      case 'key':
        return this.#beginKey(about, wanted);
      case 'account':
        return this.#beginAccount(about, wanted);
      case 'verify':
        return this.#list(
          wanted,
          Object.keys(targets).flatMap((key) => [key, ...this.#ports.gate.sourcesOf(key)]),
        );
      case 'list':
        return this.#list(wanted, []);
      case 'scopes':
        return Promise.resolve();
    }
  }

  async #beginKey(about: string, wanted: Wanted): Promise<void> {
    const key = this.#ports.vaults.key(about);
    if (!key) return;
    const versions = await this.#listed(key, wanted.readOn);
    const inIndex = new Set<string>();
    const consider = (row: UseRow): void => {
      inIndex.add(nameOfUse(row));
      if (wanted.item.fresh || this.#needsRead(row, key, versions)) this.#add(row, key, wanted);
    };
    for await (const row of this.#ports.rows.of(key.id, this.#subscription)) consider(row);
    // What a list has just shown is not in the index yet.
    for (const [name, row] of this.#rows) if (row.key === key.id && !inIndex.has(name)) consider(row);
  }

  /** Whether anything may have to be done about a use, by what the index has of it. */
  #needsRead(row: UseRow, key: ManagedKey, versions: readonly KeyVersion[]): boolean {
    if (row.recorded === false || row.state === 'indeterminate') return true;
    const now = this.#ports.now();
    if (openRevocation(versions, now)) return false;
    if (this.#ports.gate.order(key)?.covers(row)) return true;
    const target = newestUsableVersion(versions, now);
    if (!target) return false;
    if (row.state === 'skipped' && row.target === target.id) return row.reason === 'LeftByCheck';
    const isPinnedElsewhere = row.pinned !== undefined && row.pinned !== target.version;
    return isPinnedElsewhere || versionOfRow(row) !== target.id || row.state === 'failed';
  }

  async #beginAccount(account: string, wanted: Wanted): Promise<void> {
    const { accounts, now, vaults, rows } = this.#ports;
    const late = await this.#permit(NO_REGION, { reads: 1 }, wanted);
    if (late) {
      this.#leave(wanted, late.until, late.reason);
      return;
    }
    const read = await readUse(accountId(account), { location: NO_REGION }, accounts, now) //
      .finally(() => this.#ports.capacity.end(NO_REGION, true, now().getTime()));
    const key = read?.use && vaults.keyOf(read.use);
    if (!read || !key) return;
    let row: UseRow | undefined;
    for await (const known of rows.ofAccount(key.id, account)) if (known.scope === undefined) row = known;
    this.#observe(row, read, key, wanted, true);
  }

  /** What Azure shows of an account beside its row. Only a read that follows changes a row that there is. */
  #observe(row: UseRow | undefined, read: ReadUse, key: ManagedKey, wanted: Wanted, needsRead: boolean): void {
    const observation = observe(row, read, this.#announced());
    if (observation.outdated || !observation.row) return;
    const isOther = observation.found !== undefined || observation.changed !== undefined;
    const inIndex = row && this.#ports.vaults.key(row.key);
    if (needsRead || isOther) this.#add(row ?? observation.row, inIndex ?? key, wanted, isOther);
    if (!row) {
      const task = { row: observation.row, key, rank: 0, looks: false, wanted: [wanted] };
      this.#rows.set(nameOfUse(observation.row), observation.row);
      // No stage was decided with it.
      this.#progressed.set(key.id, key);
      this.#results.push({ task, result: { row: observation.row, moves: [] } });
    }
  }

  /**
   * Lists the accounts of the subscription, and reads those that the index has otherwise: as they are the only trace of a
   * move that is not recorded, rows are written by what follows from a read.
   *
   * @param keys those whose encryption scopes are read as well
   */
  async #list(wanted: Wanted, keys: readonly string[]): Promise<void> {
    const { accounts, now, vaults, rows } = this.#ports;
    const late = await this.#permit(NO_REGION, { lists: 1 }, wanted);
    if (late) {
      this.#leave(wanted, late.until, late.reason);
      return;
    }
    this.#ports.capacity.end(NO_REGION, true, now().getTime());
    const known = new Map<string, Map<string, UseRow>>();
    const load = async (key: ManagedKey): Promise<void> => {
      if (known.has(key.id)) return;
      const have = new Map<string, UseRow>();
      for await (const row of rows.of(key.id, this.#subscription)) have.set(accountRow(row.account, row.scope), row);
      known.set(key.id, have);
    };
    for (const id of keys) {
      const key = vaults.key(id);
      if (key) await load(key);
    }
    const seen = new Set<string>();
    const startedOn = now();
    for await (const account of accounts.list(this.#subscription)) {
      const read = useOfAccount(account, startedOn);
      const key = read.use && vaults.keyOf(read.use);
      if (!key) continue;
      await load(key);
      const own = accountRow(account.id);
      seen.add(own);
      // One that was moved to another key is in the index under the key that it left.
      const row = known.get(key.id)?.get(own) ?? [...known.values()].find((have) => have.has(own))?.get(own);
      const shown = observe(undefined, read, []);
      if (shown.outdated || !shown.row) continue;
      const needsRead = this.#needsRead(row ?? shown.row, key, await this.#listed(key, wanted.readOn));
      this.#observe(row, read, key, wanted, needsRead);
    }
    for (const [id, have] of known) {
      const key = vaults.key(id);
      for (const [name, row] of key ? have : []) {
        // An account that is gone, or uses no key any more, is found out by a read of its own.
        if (key && !seen.has(name) && (row.scope === undefined || keys.includes(id))) this.#add(row, key, wanted, true);
      }
    }
  }

  #announced(): readonly Announcement[] {
    return [...this.#announcedBefore, { startedOn: this.#startedOn, targets: this.#targets }];
  }

  /** Puts a use into the lane of its region, unless nothing is to be done about it now. */
  #add(read: UseRow, key: ManagedKey, wanted: Wanted, looks = false): void {
    const row = this.#rows.get(nameOfUse(read)) ?? read;
    const wait = this.#waitOf(row);
    // What failed in an earlier pass is tried at once when it is wanted anew.
    const isAnew = row === read && row.state === 'failed' && wanted.item.attempts === 0 && wanted.item.kind === 'key';
    if (wait && !isAnew) {
      this.#leave(wanted, wait, row.reason);
      return;
    }
    const region = row.location.toLowerCase();
    const lane = this.#lanes.get(region) ?? new Lane((task, permitted) => this.#work(task, region, permitted));
    this.#lanes.set(region, lane);
    wanted.open += 1;
    const isRekey = this.#ports.gate.order(key)?.covers(row) === true;
    lane.add({ row, key, rank: isRekey ? 2 : Number(row.attempts > 0), looks, wanted: [wanted] });
  }

  async #work(task: Task, region: string, permitted: () => void): Promise<void> {
    const { capacity, now } = this.#ports;
    const row = this.#rows.get(nameOfUse(task.row)) ?? task.row;
    // Another task for the same use came first, and its PATCH may still land.
    const wait = row === task.row ? undefined : this.#waitOf(row);
    if (wait) {
      this.#end(task, wait, row.reason);
      return;
    }
    let permits = 0;
    const usePorts = this.#usePorts(task, async () => {
      const late = await this.#permit(region, row.attempts > 0 ? { ...MOVE, purpose: 'retry' } : MOVE, task.wanted[0]);
      if (!late) permits += 1;
      permitted();
      return late;
    });
    const result = await reconcileUse(row, task.key, usePorts);
    for (; permits > 0; permits -= 1) capacity.end(region, result.isUnavailable !== true, now().getTime());
    if (result.throttled) {
      const { code, retryAfterSeconds } = result.throttled;
      const what = /^Subscription/i.test(code) ? 'subscription' : 'account';
      this.#limiter.close(region, what, now().getTime(), retryAfterSeconds);
      this.#lanes.get(region)?.add(task);
      return;
    }
    const { blocked } = result;
    // What follows from it is decided anew: the next stage, another target, the end.
    if (blocked?.needsRollout || result.row !== row) this.#progressed.set(task.key.id, task.key);
    if (blocked) this.#end(task, blocked.until, blocked.reason);
    else this.#end(task, result.row && this.#waitOf(result.row), result.row?.reason);
    if (result.row) this.#rows.set(nameOfUse(task.row), result.row);
    else this.#rows.delete(nameOfUse(task.row));
    if (result.row !== row || result.moves.length > 0) this.#results.push({ task: { ...task, row }, result });
  }

  /** @param next when it is worth trying again; undefined: nothing is left of it */
  #end({ wanted }: Task, next: Date | undefined, reason: Reason | undefined): void {
    for (const one of wanted) {
      one.open -= 1;
      if (next) this.#leave(one, next, reason);
    }
    this.#wake();
  }

  /** Until when a use is not to be touched; undefined: it may be now. */
  #waitOf({ notBefore = '' }: UseRow): Date | undefined {
    const until = new Date(notBefore);
    return until > this.#ports.now() ? until : undefined;
  }

  #usePorts({ wanted, looks }: Task, permit: () => Promise<Blocked | undefined>): UsePorts {
    const { accounts, gate, isExempt, refreshAutomatic, now } = this.#ports;
    const readOn = new Date(Math.max(...wanted.map((one) => one.readOn.getTime())));
    const isByDrift = wanted.every(({ item }) => item.cause.by === 'drift');
    const stop = (reason: Reason): Blocked => ({ reason, until: now() });
    return {
      ...{ accounts, refreshAutomatic, now, permit, looks },
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
      isExempt: (row) => isByDrift && isExempt(row),
    };
  }

  /** Takes permits, which have to be given back; says so where they come too late for this pass. */
  async #permit(
    region: string,
    calls: Calls,
    wanted: Wanted | undefined,
  ): Promise<Required<Pick<Blocked, 'reason' | 'until'>> | undefined> {
    const { capacity, now, sleep } = this.#ports;
    for (;;) {
      const nowMs = now().getTime();
      if (this.#isStopping()) return { reason: 'Busy', until: now() };
      const waitMs = capacity.waitMs(region, nowMs) || this.#limiter.take(region, calls, nowMs);
      if (waitMs === 0) {
        capacity.begin(region);
        return undefined;
      }
      const until = new Date(nowMs + waitMs);
      if (waitMs > LONGEST_WAIT_MS || until >= this.#until) return { reason: 'Throttled', until };
      if (wanted) wanted.reason ??= 'Throttled';
      await sleep(Math.min(waitMs, FLUSH_MS));
    }
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
      await this.#lease.save(this.#state(targets));
      this.#targets = targets;
    });
    this.#announcing = announced.catch(() => {});
    return announced;
  }

  #state(targets: Targets | undefined): PassState {
    const usage = Object.fromEntries(
      Object.entries(this.#limiter.usage()).map(([name, taken]) => [name, taken.map(([n, calls]) => [n, calls])]),
    ) as PassState['usage'];
    if (!targets) return { unclean: 0, usage };
    return { pass: { startedOn: this.#startedOn.toISOString(), targets }, unclean: this.#unclean, usage };
  }

  /** Records, then rows: a row that says `recorded: false` is what a later pass makes the record from. */
  async #flush(): Promise<void> {
    const results = this.#results.splice(0);
    this.#flushedAt = this.#ports.now().getTime();
    const moves = results.flatMap(({ task, result }) => result.moves.map((move) => ({ move, cause: causeOf(task) })));
    const recorded = moves.length > 0 ? await this.#ports.record(moves) : new Set<string>();
    this.#moved += moves.length;
    if (!this.#lease.held()) return;
    // What the index lacks then is found by what this pass announced, as after a death.
    await this.#writeRows(results, recorded).catch((error: unknown) => this.#fail(error));
  }

  async #writeRows(results: readonly Result[], recorded: ReadonlySet<string>): Promise<void> {
    const put = new Map<string, UseRow>();
    const drop: UseRef[] = [];
    const items: NewWorkItem[] = [];
    const moved = new Map<string, UseRow[]>();
    for (const { task, result } of results) {
      const { row, moves, changed } = result;
      const isRecorded = moves.length > 0 && moves.every(({ id }) => recorded.has(id));
      if (moves.length > 0 && !isRecorded) {
        const again = new Date(this.#ports.now().getTime() + RECORD_AGAIN_MS);
        for (const wanted of task.wanted) this.#leave(wanted, again, 'AuditFailed');
      }
      const isMovedAway = row !== undefined && row.key.toLowerCase() !== task.row.key.toLowerCase();
      if (!row || isMovedAway) drop.push(task.row);
      if (!row && task.row.scope === undefined) {
        for await (const scope of this.#ports.rows.ofAccount(task.row.key, task.row.account)) drop.push(scope);
      }
      if (!row) continue;
      const { recorded: _, ...rest } = row;
      const kept = isRecorded ? rest : row;
      this.#rows.set(nameOfUse(task.row), kept);
      put.set(`${row.key} ${nameOfUse(row)}`, kept);
      const other = isMovedAway ? this.#ports.vaults.key(row.key) : undefined;
      if (other) this.#progressed.set(other.id, other);
      if (other && changed) items.push(this.#itemOf(other.id, causeOf(task)));
      for (const { rekey } of moves) if (rekey) moved.set(rekey, [...(moved.get(rekey) ?? []), row]);
    }
    if (items.length > 0) await this.#ports.items.put(items);
    // Before the rows: what a roll back covers has to be known once a use is seen on the other key.
    for (const [order, uses] of moved) await this.#ports.moved.put(order, uses);
    // Of a use that changes its key the new row is there before the old one goes.
    if (put.size > 0) await this.#ports.rows.put([...put.values()]);
    if (drop.length > 0) await this.#ports.rows.drop(drop);
  }

  #itemOf(key: string, cause: Cause): NewWorkItem {
    const now = this.#ports.now();
    return { subscription: this.#subscription, kind: 'key', about: key, due: now, since: now, cause };
  }

  #leave(wanted: Wanted, next: Date, reason: Reason | undefined): void {
    if (wanted.next && wanted.next <= next) return;
    wanted.next = next;
    wanted.reason = reason;
  }

  #failItem(wanted: Wanted, error: unknown): void {
    const seconds = Math.min(15 * 2 ** wanted.item.attempts, 300);
    this.#leave(wanted, new Date(this.#ports.now().getTime() + seconds * 1000), 'PassFailed');
    this.#ports.log({ level: 'warning', reason: 'PassFailed', message: `${REASONS.PassFailed} ${errorText(error)}` });
  }

  /** Items that are done are deleted, and the others postponed; one that was put anew meanwhile stays as it is. */
  async #settle(): Promise<void> {
    const { items, now } = this.#ports;
    const isWhole = this.#failure === undefined;
    const at = now();
    const cause: Cause = { by: 'progress', ref: '', since: at.toISOString() };
    // Before the items that they come from are finished: neither is lost by a death in between.
    const decisions = this.progressed.map(
      ({ id }): NewWorkItem => ({ subscription: NO_SUBSCRIPTION, kind: 'key', about: id, due: at, since: at, cause }),
    );
    if (decisions.length > 0) await items.put(decisions);
    await pMap(
      this.#wanted.values(),
      async ({ item, next, reason }) => {
        const due = next ?? (isWhole ? undefined : now());
        if (!due) await items.finish(item);
        else await items.postpone(item, { due, attempts: item.attempts + 1, ...(reason ? { reason } : {}) });
      },
      { concurrency: CONCURRENCY },
    );
    if (isWhole) await this.#lease.save(this.#state(undefined));
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
