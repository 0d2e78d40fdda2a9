import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { errorText } from '../azure/failure.ts';
import { type Calls, Limiter, type Usage } from '../azure/limiter.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { GIVEN_UP_MS } from '../time/spans.ts';
import type { Lease, Leases } from '../work/lease-client.ts';
import type { Cause } from '../work/messages.ts';
import type { UseRef } from './fleet-index.ts';
import { accountId, accountRow } from './fleet-keys.ts';
import { accountKeyUse } from './key-use.ts';
import { type Announcement, observe, type ReadUse } from './observe.ts';
import { readUse, useOfAccount } from './read-use.ts';
import {
  type Blocked,
  type Move,
  type Order,
  reconcileUse,
  type UsePorts,
  type UseResult,
  unrecordedMove,
} from './reconcile-use.ts';
import type { StorageAccounts } from './storage-client.ts';
import type { UseRow, UseRows } from './use-row.ts';
import type { NewWorkItem, Targets, WorkItem, WorkItems } from './work-items.ts';

/** A worker that dies may leave a PATCH behind; it lands within a minute, and is looked for after so long. Milliseconds. */
const VERIFY_AFTER_MS = 2 * GIVEN_UP_MS;
/** So many passes in a row that ended before their time: the subscription itself kills its worker. */
const MOST_UNCLEAN = 3;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** A list of versions is used for so long. Milliseconds. */
const LIST_MS = 5_000;
/** Items are read again this often while uses are worked on. Milliseconds. */
const ITEMS_MS = 5_000;
/** Results are written this often, or when there are so many. Milliseconds. */
const FLUSH_MS = 1_000;
const FLUSH_RESULTS = 100;
/** What each region has under way at most: a PATCH took up to 36 s, and Azure takes ten a second. */
const MOST_IN_FLIGHT = 384;
const MOVE: Calls = { reads: 1, writes: 1 };

export interface WorkerPorts {
  readonly items: WorkItems;
  readonly rows: UseRows;
  readonly leases: Leases;
  readonly accounts: StorageAccounts;
  readonly keys: { listVersions(key: ManagedKey): Promise<readonly KeyVersion[]> };
  readonly vaults: Pick<ManagedVaults, 'key' | 'keyOf'>;
  /** What says whether a use may move now. */
  readonly gate: Gate;
  /** Appends records of moves; those that are in the trail within the time it has. Never throws. */
  record(moves: readonly { readonly move: Move; readonly cause: Cause }[]): Promise<ReadonlySet<string>>;
  /** Uses that the drift check leaves where they are. */
  isExempt(row: UseRow): boolean;
  readonly refreshAutomatic: boolean;
  /** Part of the windows of the Storage resource provider's budgets (`CMK_BUDGET_SHARE`). */
  readonly budgetShare: number;
  /** The clock of the app's storage account, so that instances with skewed clocks agree. */
  readonly now: () => Date;
  sleep(ms: number): Promise<void>;
  readonly log: Log;
}

/** Pauses, stages, open revocations and standing orders, as they are known in this instance. */
export interface Gate {
  /** Why the use is not moved now. Never throws: what cannot be read blocks. */
  blocked(row: UseRow, key: ManagedKey, versions: readonly KeyVersion[]): Promise<Blocked | undefined>;
  /** Asked right before a PATCH, without a request. */
  isPaused(key: ManagedKey): boolean;
  order(key: ManagedKey): Order | undefined;
}

/** What became of a pass. */
export type PassResult =
  /** Another worker holds the subscription, and reads its items again before it is done. */
  | { readonly outcome: 'busy' }
  | {
      readonly outcome: 'passed';
      /** When the earliest item that is left is due. */
      readonly nextDue?: Date;
      readonly moved: number;
    };

const PASS = z.object({
  id: z.string().max(100),
  startedOn: z.iso.datetime(),
  targets: z.record(z.string().max(300), z.string().max(400)),
});
const USAGE = z.record(z.string().max(200), z.array(z.tuple([z.number(), z.number()])).max(100));
/** What is stored with the lease. It decides what is read and whose move a change was, never what is written. */
const STATE = z.object({
  pass: PASS.optional().catch(undefined),
  unclean: z.number().int().min(0).catch(0),
  usage: USAGE.catch({}),
});

/**
 * Works on everything that is wanted in one subscription, as the only worker that does: under its lease. Level-triggered:
 * the items say where to look, and nothing else.
 *
 * @param until no call is begun later; those under way have their own deadlines
 */
export async function reconcileSubscription(
  subscription: string,
  until: Date,
  ports: WorkerPorts,
): Promise<PassResult> {
  let moved = 0;
  for (;;) {
    const due = (await ports.items.of(subscription))
      .map(({ due: at }) => at)
      .sort((a, b) => a.getTime() - b.getTime())[0];
    // After each release as well: an item whose message met this holder is seen here.
    if (!due || due > ports.now() || ports.now() >= until)
      return { outcome: 'passed', moved, ...(due ? { nextDue: due } : {}) };
    const pass = await passUnderLease(subscription, until, ports);
    if (pass === undefined) return { outcome: 'busy' };
    moved += pass;
  }
}

/** @returns how many moves it made; undefined: another worker holds the lease */
async function passUnderLease(subscription: string, until: Date, ports: WorkerPorts): Promise<number | undefined> {
  const lease = await ports.leases.acquire(`subscription/${subscription.toLowerCase()}`);
  if (!lease) return undefined;
  const state = STATE.safeParse(lease.state).data ?? { unclean: 0, usage: {} };
  const pass = new Pass(subscription, until, lease, state.usage, ports);
  try {
    const unclean = state.pass ? state.unclean + 1 : 0;
    if (state.pass && !(await takeOver(subscription, state.pass, unclean, lease, ports))) return 0;
    await pass.run(unclean);
    return pass.moved;
  } finally {
    if (lease.held()) await lease.release();
  }
}

/**
 * The worker before this one ended without saying so: what it had under way may still land, and is looked for when that is
 * over.
 *
 * @returns whether to go on: not where one worker after the other dies of this subscription
 */
async function takeOver(
  subscription: string,
  { startedOn, targets }: z.output<typeof PASS>,
  unclean: number,
  lease: Lease,
  ports: WorkerPorts,
): Promise<boolean> {
  const { items, now, log } = ports;
  const before = (await items.of(subscription)).find(({ kind }) => kind === 'verify');
  const since = new Date(Math.min(Date.parse(startedOn), before?.since.getTime() ?? Number.POSITIVE_INFINITY));
  await items.put([
    {
      ...{ subscription, kind: 'verify', about: '', due: new Date(now().getTime() + VERIFY_AFTER_MS), since },
      cause: { by: 'takeover', ref: '', since: startedOn },
      targets: { ...before?.targets, ...targets },
    },
  ]);
  if (unclean < MOST_UNCLEAN) return true;
  const ms = Math.min(2 ** unclean * MINUTE_MS, HOUR_MS);
  const due = new Date(now().getTime() + ms);
  for (const item of await items.of(subscription)) {
    await items.postpone(item, { due, attempts: item.attempts + 1, reason: 'SubscriptionFails' });
  }
  log({
    level: 'error',
    reason: 'SubscriptionFails',
    message: `${REASONS.SubscriptionFails} ${unclean} passes in a row.`,
  });
  // The pass is taken over: the next one begins after the wait.
  await lease.save({ unclean, usage: {} });
  return false;
}

/** What is to be done about one use. */
interface Task {
  readonly row: UseRow;
  readonly key: ManagedKey;
  readonly wanted: Wanted;
}

/** An item that is worked on, and what is left of it. */
interface Wanted {
  readonly item: WorkItem;
  /** When the item was read: lists of versions that began before do not show what it is about. */
  readonly readOn: Date;
  open: number;
  /** The earliest time at which something that is left can be done; undefined: nothing is left. */
  next: Date | undefined;
  reason: Reason | undefined;
}

/** One pass over the work of a subscription. */
class Pass {
  moved = 0;
  readonly #subscription: string;
  readonly #until: Date;
  readonly #lease: Lease;
  readonly #limiter: Limiter;
  readonly #ports: WorkerPorts;
  readonly #id = randomUUID();
  readonly #startedOn: Date;
  readonly #wanted = new Map<string, Wanted>();
  /** By region: uses that wait for their calls, in the order in which they get them. */
  readonly #lanes = new Map<string, Lane>();
  readonly #versions = new Map<string, { readonly at: number; readonly list: Promise<readonly KeyVersion[]> }>();
  readonly #permits = new Map<string, Promise<unknown>>();
  readonly #verified: Announcement[] = [];
  /** Whether every result is in the index. */
  #isFlushed = true;
  #targets: Targets = {};
  #unclean = 0;
  #results: { readonly task: Task; readonly result: UseResult }[] = [];
  #flushedAt = 0;
  #itemsReadAt = 0;
  #changed = () => {};

  constructor(subscription: string, until: Date, lease: Lease, usage: Usage, ports: WorkerPorts) {
    this.#subscription = subscription;
    this.#until = until;
    this.#lease = lease;
    this.#limiter = new Limiter(ports.budgetShare, usage);
    this.#ports = ports;
    this.#startedOn = ports.now();
  }

  async run(unclean: number): Promise<void> {
    this.#unclean = unclean;
    for (;;) {
      const idle = this.#isIdle();
      if (idle || this.#elapsed(this.#itemsReadAt) >= ITEMS_MS) {
        const found = this.#isStopping() ? false : await this.#readItems();
        // A result may have come in while the items were read.
        if (idle && !found && this.#isIdle() && this.#results.length === 0) break;
      }
      if (this.#shouldFlush()) await this.#flush();
      if (!this.#isIdle()) await this.#wait();
    }
    await this.#settle();
  }

  /** Waits until a use is done, or for a second. */
  async #wait(): Promise<void> {
    const changed = new Promise<void>((resolve) => {
      this.#changed = resolve;
    });
    await Promise.race([changed, this.#ports.sleep(FLUSH_MS)]);
  }

  #isStopping(): boolean {
    return !this.#lease.held() || this.#ports.now() >= this.#until;
  }

  #isIdle(): boolean {
    return [...this.#lanes.values()].every((lane) => lane.isIdle);
  }

  #shouldFlush(): boolean {
    const { length } = this.#results;
    return length > 0 && (length >= FLUSH_RESULTS || this.#isIdle() || this.#elapsed(this.#flushedAt) >= FLUSH_MS);
  }

  #elapsed(since: number): number {
    return this.#ports.now().getTime() - since;
  }

  /** @returns whether there was work that this pass had not seen yet */
  async #readItems(): Promise<boolean> {
    this.#itemsReadAt = this.#ports.now().getTime();
    const now = this.#ports.now();
    const items = (await this.#ports.items.of(this.#subscription)).filter(({ due }) => due <= now);
    const fresh = items.filter(({ etag }) => !this.#wanted.has(etag));
    for (const item of fresh) {
      const wanted: Wanted = { item, readOn: now, open: 1, next: undefined, reason: undefined };
      this.#wanted.set(item.etag, wanted);
      await this.#begin(wanted).catch((error: unknown) => this.#failItem(wanted, error));
      wanted.open -= 1;
    }
    return fresh.length > 0;
  }

  async #begin(wanted: Wanted): Promise<void> {
    const { item } = wanted;
    switch (item.kind) {
      case 'key':
        return this.#beginKey(item.about, wanted);
      case 'account':
        return this.#beginAccount(item.about, wanted);
      case 'verify':
        this.#verified.push({ startedOn: item.since, targets: item.targets ?? {} });
        return this.#list(wanted, Object.keys(item.targets ?? {}));
      case 'list':
        return this.#list(wanted, []);
      case 'scopes':
        return;
    }
  }

  async #beginKey(about: string, wanted: Wanted): Promise<void> {
    const key = this.#ports.vaults.key(about);
    if (!key) return;
    const versions = await this.#listed(key, wanted.readOn);
    const target = this.#targetOf(key, versions);
    if (target) await this.#announce(key, target);
    for await (const row of this.#ports.rows.of(key.id, this.#subscription)) this.#add(row, key, wanted);
  }

  /** The version that uses of the key are to move to, as far as it is known before they are read. */
  #targetOf(key: ManagedKey, versions: readonly KeyVersion[]): string | undefined {
    return this.#ports.gate.order(key) ? undefined : newestUsableVersion(versions, this.#ports.now())?.id;
  }

  async #beginAccount(account: string, wanted: Wanted): Promise<void> {
    const { accounts, now, vaults, rows } = this.#ports;
    // Its region is not known before it is read.
    const region = '';
    if (await this.#permitted(region, { reads: 1 }, wanted)) return;
    const read = await readUse(accountId(account), { location: region }, accounts, now);
    const key = read?.use && vaults.keyOf(read.use);
    if (!read || !key) return;
    let row: UseRow | undefined;
    for await (const known of rows.ofAccount(key.id, account)) if (known.scope === undefined) row = known;
    const observation = observe(row, read, this.#announced());
    if (!observation.outdated && observation.row) this.#add(observation.row, key, wanted);
  }

  /** Lists the accounts of the subscription, and puts down what the index has otherwise. */
  async #list(wanted: Wanted, keys: readonly string[]): Promise<void> {
    const { accounts, now, vaults, rows } = this.#ports;
    const known = new Map<string, Map<string, UseRow>>();
    const rowsOf = async (key: ManagedKey): Promise<Map<string, UseRow>> => {
      const have = known.get(key.id) ?? new Map<string, UseRow>();
      if (!known.has(key.id)) {
        for await (const row of rows.of(key.id, this.#subscription)) have.set(accountRow(row.account, row.scope), row);
        known.set(key.id, have);
      }
      return have;
    };
    for (const id of keys) {
      const key = vaults.key(id);
      if (key) await rowsOf(key);
    }
    const startedOn = now();
    for await (const account of accounts.list(this.#subscription)) {
      const use = accountKeyUse(account.encryption);
      const key = use && vaults.keyOf(use);
      if (!key) continue;
      const own = accountRow(account.id);
      // One that a re-key moved is in the index under the key that it left.
      const row = [await rowsOf(key), ...known.values()].find((rows) => rows.has(own))?.get(own);
      this.#observe(row, useOfAccount(account, startedOn), key, wanted);
    }
    // Scopes are read one by one: a list of them costs more than there is.
    for (const have of known.values()) {
      for (const row of have.values()) {
        const key = vaults.key(row.key);
        if (row.scope !== undefined && key) this.#add(row, key, wanted);
      }
    }
  }

  #observe(row: UseRow | undefined, read: ReadUse, key: ManagedKey, wanted: Wanted): void {
    const observation = observe(row, read, this.#announced());
    if (observation.outdated || !observation.row) return;
    this.#add(observation.found ? (row as UseRow) : observation.row, key, wanted);
  }

  #announced(): readonly Announcement[] {
    return [...this.#verified, { startedOn: this.#startedOn, targets: this.#targets }];
  }

  /** Puts a use into the lane of its region, unless nothing is to be done about it now. */
  #add(row: UseRow, key: ManagedKey, wanted: Wanted): void {
    const notBefore = row.notBefore && new Date(row.notBefore);
    if (notBefore && notBefore > this.#ports.now()) {
      this.#leave(wanted, notBefore, row.reason);
      return;
    }
    const region = row.location.toLowerCase();
    const lane = this.#lanes.get(region) ?? new Lane((task) => this.#work(task, region));
    this.#lanes.set(region, lane);
    wanted.open += 1;
    lane.add({ row, key, wanted });
  }

  async #work({ row, key, wanted }: Task, region: string): Promise<void> {
    const task = { row, key, wanted };
    const result = await reconcileUse(row, key, this.#usePorts(wanted, region));
    if (result.throttled) {
      const what = /^Subscription/i.test(result.throttled.code) ? 'subscription' : 'account';
      this.#limiter.close(region, what, this.#ports.now().getTime(), result.throttled.retryAfterSeconds);
      this.#lanes.get(region)?.add(task);
      return;
    }
    wanted.open -= 1;
    if (result.later) this.#leave(wanted, result.later, 'Throttled');
    if (result.blocked?.until) this.#leave(wanted, result.blocked.until, result.blocked.reason);
    if (result.row?.notBefore) this.#leave(wanted, new Date(result.row.notBefore), result.row.reason);
    if (result.row !== row) this.#results.push({ task, result });
    this.#changed();
  }

  #usePorts(wanted: Wanted, region: string): UsePorts {
    const { accounts, gate, isExempt, refreshAutomatic, now } = this.#ports;
    const isByDrift = wanted.item.cause.by === 'drift';
    return {
      ...{ accounts, refreshAutomatic, now },
      announced: this.#announced(),
      versions: (key, anew) => this.#listed(key, anew ? now() : wanted.readOn),
      gate: async (row, key) => gate.blocked(row, key, await this.#listed(key, wanted.readOn).catch(() => [])),
      permit: (row) => this.#permitted(region, row.attempts > 0 ? { ...MOVE, purpose: 'retry' } : MOVE, wanted),
      isAnnounced: (key, target) => this.#targets[key.id] === target,
      announce: (key, target) => this.#announce(key, target),
      mayWrite: (key) => !this.#isStopping() && !gate.isPaused(key),
      order: (key) => gate.order(key),
      isExempt: (row) => isByDrift && isExempt(row),
    };
  }

  /** Waits for permits, one after the other in each region; a time: they come no earlier, and the pass does not wait so long. */
  #permitted(region: string, calls: Calls, wanted: Wanted): Promise<Date | undefined> {
    const before = this.#permits.get(region) ?? Promise.resolve();
    const permit = before.then(() => this.#permit(region, calls, wanted));
    this.#permits.set(region, permit);
    return permit;
  }

  async #permit(region: string, calls: Calls, wanted: Wanted): Promise<Date | undefined> {
    for (;;) {
      const now = this.#ports.now();
      if (this.#isStopping()) return now;
      const waitMs = this.#limiter.take(region, calls, now.getTime());
      if (waitMs === 0) return undefined;
      const at = new Date(now.getTime() + waitMs);
      if (at >= this.#until) return at;
      wanted.reason ??= 'Throttled';
      await this.#ports.sleep(Math.min(waitMs, FLUSH_MS));
    }
  }

  /** A list that is five seconds old can move a use only forwards, at worst to the last version but one. */
  #listed(key: ManagedKey, since: Date): Promise<readonly KeyVersion[]> {
    const known = this.#versions.get(key.id);
    const nowMs = this.#ports.now().getTime();
    if (known && nowMs - known.at < LIST_MS && known.at >= since.getTime()) return known.list;
    const list = this.#ports.keys.listVersions(key);
    this.#versions.set(key.id, { at: nowMs, list });
    list.catch(() => this.#versions.delete(key.id));
    return list;
  }

  /** Before the first PATCH to a version: whoever takes over knows by it whose moves it finds. */
  async #announce(key: ManagedKey, target: string): Promise<void> {
    if (this.#targets[key.id] === target) return;
    const targets = { ...this.#targets, [key.id]: target };
    await this.#lease.save({
      pass: { ...this.#announcedPass(), targets },
      unclean: this.#unclean,
      usage: this.#limiter.usage(),
    });
    this.#targets = targets;
  }

  /** Records, then rows: a row that says `recorded: false` is what a later pass makes the record from. */
  async #flush(): Promise<void> {
    const results = this.#results.splice(0);
    this.#flushedAt = this.#ports.now().getTime();
    const moves = results.flatMap(({ task, result }) => {
      const move = result.move ?? (result.row && unrecordedMove(result.row));
      return move ? [{ move, cause: task.wanted.item.cause }] : [];
    });
    const recorded = moves.length > 0 ? await this.#ports.record(moves) : new Set<string>();
    this.moved += moves.length;
    if (!this.#lease.held()) return;
    await this.#writeRows(results, recorded).catch((error: unknown) => {
      this.#isFlushed = false;
      for (const { task } of results) this.#failItem(task.wanted, error);
    });
  }

  async #writeRows(
    results: readonly { readonly task: Task; readonly result: UseResult }[],
    recorded: ReadonlySet<string>,
  ): Promise<void> {
    const put: UseRow[] = [];
    const drop: UseRef[] = [];
    const items: NewWorkItem[] = [];
    for (const { task, result } of results) {
      const { row } = result;
      const move = result.move ?? (row && unrecordedMove(row));
      const isRecorded = move !== undefined && recorded.has(move.id);
      if (move && !isRecorded)
        this.#leave(task.wanted, new Date(this.#ports.now().getTime() + MINUTE_MS), 'AuditFailed');
      if (!row || row.key.toLowerCase() !== task.row.key.toLowerCase()) drop.push(task.row);
      if (!row) continue;
      const { recorded: _, ...rest } = row;
      put.push(isRecorded ? rest : row);
      const other = this.#ports.vaults.key(row.key);
      if (result.changed && other && row.key.toLowerCase() !== task.row.key.toLowerCase()) {
        items.push(this.#itemOf(other.id, task.wanted.item.cause));
      }
    }
    if (items.length > 0) await this.#ports.items.put(items);
    // Of a use that changes its key the new row is there before the old one goes.
    if (put.length > 0) await this.#ports.rows.put(put);
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
    if (!this.#lease.held()) return;
    for (const { item, open, next, reason } of this.#wanted.values()) {
      const due = open > 0 ? this.#ports.now() : next;
      if (!due) await this.#ports.items.finish(item);
      else await this.#ports.items.postpone(item, { due, attempts: item.attempts + 1, ...(reason ? { reason } : {}) });
    }
    const usage = this.#limiter.usage();
    // What the index lacks is found by what this pass announced.
    await this.#lease.save(
      this.#isFlushed ? { unclean: 0, usage } : { pass: this.#announcedPass(), unclean: 0, usage },
    );
  }

  #announcedPass(): z.output<typeof PASS> {
    return { id: this.#id, startedOn: this.#startedOn.toISOString(), targets: this.#targets };
  }
}

/** The uses of one region, one after the other as their calls are admitted: a region that hangs holds up no other. */
class Lane {
  readonly #work: (task: Task) => Promise<void>;
  #waiting: Task[] = [];
  readonly #busy = new Set<string>();

  constructor(work: (task: Task) => Promise<void>) {
    this.#work = work;
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#busy.size === 0;
  }

  add(task: Task): void {
    this.#waiting.push(task);
    this.#next();
  }

  /** One task per account at a time: its scopes come after it. */
  #next(): void {
    while (this.#busy.size < MOST_IN_FLIGHT) {
      const index = this.#waiting.findIndex(({ row }) => !this.#busy.has(accountRow(row.account)));
      const [task] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (!task) return;
      const account = accountRow(task.row.account);
      this.#busy.add(account);
      void this.#work(task).finally(() => {
        this.#busy.delete(account);
        this.#next();
      });
    }
  }
}
