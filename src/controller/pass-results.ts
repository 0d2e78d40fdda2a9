import type { Reason } from '../errors/reasons.ts';
import type { AccountChange } from '../index/fleet-index.ts';
import { formatAccountRow } from '../index/fleet-keys.ts';
import type { UseRef, UseRow } from '../index/use-row.ts';
import { isComparison, type NewWorkItem, NO_SUBSCRIPTION, type WorkKind } from '../index/work-items.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Cause } from '../work/messages.ts';
import { getRetryDelay } from '../work/retry.ts';
import { recordMoves } from './audit-records.ts';
import { formatNameOfUse } from './moved-uses.ts';
import type { PassLease } from './pass-lease.ts';
import type { PassLog } from './pass-log.ts';
import type { PassTime } from './pass-time.ts';
import { getNextTry } from './select.ts';
import { Signal } from './signal.ts';
import { getCause, type PassItem, type Task } from './task.ts';
import type { Move, UseResult } from './use-result.ts';
import type { FleetServices } from './worker-ports.ts';

/** A pass writes its results at this interval, or when it has this many results. Milliseconds. */
const WRITE_MS = 1_000;
const MOST_RESULTS = 100;
/** A listing waits while more results are pending; an account adds at least two, a use row and an account row. */
const MOST_PENDING = 4 * MOST_RESULTS;
/** Interval at which a waiting listing checks the pending results. Milliseconds. */
const BACKPRESSURE_MS = 50;
/** Delay before the next attempt to append a record. Milliseconds. */
const RECORD_AGAIN_MS = 30_000;

interface Result {
  /** The row before the result. */
  readonly row: UseRow;
  readonly items: readonly PassItem[];
  readonly result: Pick<UseResult, 'row' | 'moves' | 'changed'>;
  /** Whether the row comes only from a list, so that the pass can release it after the write. */
  readonly isListed?: boolean;
}

/** The pass whose results these are. */
interface ResultsPass {
  readonly subscription: string;
  readonly lease: Pick<PassLease, 'isHeld'>;
  readonly time: PassTime;
  readonly log: PassLog;
}
type ResultPorts = Pick<FleetServices, 'audit' | 'items' | 'rows' | 'fleet' | 'vaults' | 'now' | 'sleep'>;

/** Results of a pass until it writes them: records of moves first, then use rows, then account rows. */
export class PassResults {
  /** Raised when the results may be due. */
  readonly changes = new Signal();
  readonly #pass: ResultsPass;
  readonly #ports: ResultPorts;
  /** Rows that this pass changed: newer than the rows in the index. */
  readonly #rows = new Map<string, UseRow>();
  #results: Result[] = [];
  /** Keys to reconcile after the pass, by id. */
  readonly progressed = new Map<string, { readonly key: ManagedKey; readonly cause: Cause }>();
  /** Start of the newest compared list of scopes, by account. */
  readonly #scopeLists = new Map<string, Date>();
  #drops: UseRef[] = [];
  #changes: AccountChange[] = [];
  #listedOn: Date | undefined;
  #wantsScopes = false;
  #wantsList = false;
  /** Keys of the rows of accounts that a read did not find, by ARM id in lower case. */
  readonly #gone = new Map<string, readonly string[]>();
  #writtenAt = 0;

  constructor(pass: ResultsPass, ports: ResultPorts) {
    this.#pass = pass;
    this.#ports = ports;
  }

  /** Returns this pass's row of the use; undefined if the pass has no result for it. */
  find(use: Pick<UseRow, 'account' | 'scope'>): UseRow | undefined {
    return this.#rows.get(formatNameOfUse(use));
  }

  /**
   * Adds the result of a task: its row, and when its items are tried again.
   *
   * @param row the row before the result
   */
  add(task: Task, row: UseRow, result: UseResult): void {
    const { key, items } = task;
    const { blocked, isRead = false } = result;
    const cause = getCause(items);

    this.#pass.log.result(row, result, key, cause);

    if (result.isAccountGone) {
      this.requestList(row.account, [row.key]);

      // The list drops the row, or gives it the account's new id. Then the item tries again.
      const attempts = Math.min(...items.map(({ item }) => item.attempts));
      const until = new Date(this.#ports.now().getTime() + getRetryDelay(attempts));
      this.postpone(task, until, 'AccountNotFound', isRead);
      if (result.row === row && result.moves.length === 0) return;
    }

    // `reconcileKey` decides whether the result starts the next stage or ends the rollout, and detects a pause's end.
    if (blocked?.needsRollout || blocked?.reason === 'Paused' || result.row !== row) this.progress(key, cause);

    const next = blocked ? blocked.until : result.row && getNextTry(result.row, this.#ports.now());
    if (next) this.postpone(task, next, blocked?.reason ?? result.row?.reason, isRead);

    if (result.row) this.#rows.set(formatNameOfUse(row), result.row);
    else this.#rows.delete(formatNameOfUse(row));

    if (result.row !== row || result.moves.length > 0) this.#results.push({ row, items, result });
  }

  /**
   * Schedules a retry of a use. Postpones `key` items, and `verify` items until a worker has read the use: that read shows
   * whether a dead worker moved it. Also postpones an item whose list differs from the index until the use is read, so
   * that the index gets the difference. Every other item ends here, and the key's own item retries the use.
   *
   * @param isRead whether the row has the state in Azure; absent if the use was not due
   */
  postpone({ row, items, key, mustRead }: Task, next: Date, reason: Reason | undefined, isRead?: boolean): void {
    // A pending row with a retry time was read: the use waits for the check of another actor's change.
    const isPending = isRead === undefined && (this.find(row) ?? row).state === 'pending';
    const isUnread = mustRead && !isRead && !isPending;

    for (const item of items) {
      const { kind, cause } = item.item;

      if (kind === 'key' || isUnread || (kind === 'verify' && !isRead)) item.postpone(next, reason);
      else this.progress(key, cause);
    }
  }

  /** Adds a row that a list shows. */
  keep(row: UseRow, item: PassItem): void {
    const isListed = this.find(row) === undefined;
    this.#rows.set(formatNameOfUse(row), row);
    this.#results.push({ row, items: [item], result: { row, moves: [] }, isListed });
  }

  /** Makes a listing wait while too many results are pending. */
  async applyBackpressure(): Promise<void> {
    while (this.#pending > MOST_PENDING && !this.#pass.time.isStopping()) {
      this.changes.raise();
      await this.#ports.sleep(BACKPRESSURE_MS);
    }
  }

  /** Drops a deleted account. @param rows the account's rows in the index */
  dropAccount(account: string, rows: readonly UseRow[]): readonly UseRow[] {
    // The index lacks rows that this pass has not written yet.
    const own = [...this.#rows.values()].filter((row) => formatAccountRow(row.account) === formatAccountRow(account));
    const all = [...new Set([...rows.map((row) => this.find(row) ?? row), ...own])];
    for (const row of all) this.drop(row);
    return all;
  }

  /** Reconciles the key after the pass. Any other cause replaces a comparison, which moves no exempt use. */
  progress(key: ManagedKey, cause: Cause): void {
    const known = this.progressed.get(key.id);
    if (!known || isComparison(known.cause)) this.progressed.set(key.id, { key, cause });
  }

  drop(row: UseRow): void {
    this.#drops.push(row);
    if (this.find(row)?.key === row.key) this.#rows.delete(formatNameOfUse(row));
  }

  change(change: AccountChange): void {
    this.#changes.push(change);
  }

  /** Returns whether no list of the account's scopes that began later was compared in this pass. */
  isNewestScopeList(account: string, startedOn: Date): boolean {
    const name = formatAccountRow(account);
    const newest = this.#scopeLists.get(name);
    if (newest && newest > startedOn) return false;

    this.#scopeLists.set(name, startedOn);
    return true;
  }

  /** Requests that a worker lists the encryption scopes of all due accounts. */
  requestScopes(): void {
    this.#wantsScopes = true;
  }

  /**
   * Requests a list of the subscription, which alone shows whether an account was deleted or moved to another resource
   * group.
   *
   * @param account ARM id that Azure does not find
   * @param keys keys under which the index has rows of the account; its account row may lack them
   */
  requestList(account: string, keys: readonly string[]): void {
    const id = account.toLowerCase();
    this.#gone.set(id, [...(this.#gone.get(id) ?? []), ...keys]);
    this.#wantsList = true;
  }

  /** Keys under which the index has rows of accounts that reads of this pass did not find. */
  get keysOfGone(): readonly string[] {
    return [...new Set([...this.#gone.values()].flat())];
  }

  /** Returns whether a read of this pass did not find the account: a list that shows it is outdated. */
  isGone(account: string): boolean {
    return this.#gone.has(account.toLowerCase());
  }

  /** Records a complete list of the subscription. @param startedOn start of the list */
  listed(startedOn: Date): void {
    this.#listedOn = startedOn;
  }

  get #pending(): number {
    return this.#results.length + this.#drops.length + this.#changes.length;
  }

  /** @param isIdle whether no other task is in flight */
  isDue(isIdle: boolean): boolean {
    const isLeft = this.#pending > 0 || this.#listedOn !== undefined || this.#wantsScopes || this.#wantsList;
    const isLate = this.#ports.now().getTime() - this.#writtenAt >= WRITE_MS;
    return isLeft && (this.#pending >= MOST_RESULTS || isIdle || isLate);
  }

  /**
   * Appends records, then writes rows. A later pass appends a missing record from a row with `movedFrom`. After an
   * error, the announced targets attribute moves that the index lacks, as after a crash.
   *
   * @returns whether it put work items of this subscription
   * @throws the SDK's errors
   */
  async write(isWhole: boolean): Promise<boolean> {
    const results = this.#results.splice(0);
    const drops = this.#drops.splice(0);
    const changes = this.#changes.splice(0);
    const listedOn = this.#listedOn;
    const wanted = [...(this.#wantsScopes ? ['scopes' as const] : []), ...(this.#wantsList ? ['list' as const] : [])];

    this.#listedOn = undefined;
    this.#wantsScopes = false;
    this.#wantsList = false;
    this.#writtenAt = this.#ports.now().getTime();

    const recorded = await this.#recordMoves(results);

    if (!this.#pass.lease.isHeld()) return false;

    const hasPutItems = await this.#writeRows(results, recorded, drops, changes);

    // Write the listing after the rows: its readers expect the rows.
    const { fleet, items, now } = this.#ports;
    if (changes.length > 0) await fleet.write(changes);

    if (wanted.length > 0) {
      // Replaces an item of a running pass, which lacks these accounts.
      const cause = { by: 'list', ref: '', since: now().toISOString() };
      await items.put(wanted.map((kind) => this.#itemOf(kind, '', cause)));
    }

    // Skipped if the pass failed to write an earlier part of the list.
    if (listedOn && isWhole) {
      await fleet.listed(this.#pass.subscription, listedOn);
      await this.#progressWaiting();
    }

    return hasPutItems || wanted.length > 0;
  }

  /** Requests that a worker reconciles the keys that wait for a list. */
  async #progressWaiting(): Promise<void> {
    for (const { about, reason, cause } of await this.#ports.items.of(NO_SUBSCRIPTION)) {
      const key = reason === 'FleetNotListed' ? this.#ports.vaults.key(about) : undefined;
      if (key) this.progress(key, cause);
    }
  }

  /** Appends a record for each move. @returns ids of the moves that the trail has recorded */
  async #recordMoves(results: readonly Result[]): Promise<ReadonlySet<string>> {
    // A second read before the row's write reports the same move again.
    const byId = new Map<string, { readonly move: Move; readonly cause: Cause }>();
    for (const { items, result } of results) {
      for (const move of result.moves) {
        if (!byId.has(move.id)) byId.set(move.id, { move, cause: getCause(items) });
      }
    }

    const moves = [...byId.values()];
    for (const { move, cause } of moves) this.#pass.log.moved(move, cause);

    return recordMoves(moves, this.#ports.audit);
  }

  async #writeRows(
    results: readonly Result[],
    recorded: ReadonlySet<string>,
    drop: UseRef[],
    accounts: AccountChange[],
  ): Promise<boolean> {
    const put = new Map<string, UseRow>();
    const newItems: NewWorkItem[] = [];

    for (const { row: before, items, result } of results) {
      const { row, moves, changed } = result;
      const cause = getCause(items);
      const isRecorded = moves.length > 0 && moves.every(({ id }) => recorded.has(id));
      if (moves.length > 0 && !isRecorded) {
        const again = new Date(this.#ports.now().getTime() + RECORD_AGAIN_MS);
        for (const item of items) item.postpone(again, 'AuditFailed');
      }

      const isMovedAway = row !== undefined && row.key !== before.key;
      if (!row || isMovedAway) drop.push(before);

      // This item drops the account's other rows from the index.
      if (!row && before.scope === undefined) newItems.push(this.#itemOf('account', before.account, cause));
      if (!row) continue;

      const { movedFrom: _, isOnlyObserved: __, isPickedUp: ___, ...rest } = row;
      const kept = isRecorded ? rest : row;

      this.#rows.set(formatNameOfUse(before), kept);
      put.set(`${row.key} ${formatNameOfUse(row)}`, kept);

      // Otherwise, account lists would show the old key until the next list.
      if (isMovedAway && row.scope === undefined) accounts.push({ account: row.account, key: row.key });

      const other = isMovedAway ? this.#ports.vaults.key(row.key) : undefined;
      if (other) this.progress(other, cause);

      // The target key's item completes or records the move, since the row is now under that key.
      if (other && (changed || !isRecorded)) newItems.push(this.#itemOf('key', other.id, cause));
    }

    if (newItems.length > 0) await this.#ports.items.put(newItems);

    // Put rows before dropping old rows, so that a re-keyed use is always in the index.
    if (put.size > 0) await this.#ports.rows.put([...put.values()]);

    // Releases rows of lists, so that a pass does not hold a whole subscription in memory.
    for (const { row, isListed } of results) {
      if (isListed && this.find(row) === row) this.#rows.delete(formatNameOfUse(row));
    }

    if (drop.length > 0) await this.#ports.rows.drop(drop);

    return newItems.length > 0;
  }

  #itemOf(kind: WorkKind, about: string, cause: Cause): NewWorkItem {
    const now = this.#ports.now();
    return { subscription: this.#pass.subscription, kind, about, due: now, since: now, cause };
  }
}
