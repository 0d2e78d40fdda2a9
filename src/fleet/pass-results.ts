import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Cause } from '../work/messages.ts';
import type { AccountChange } from './fleet-index.ts';
import { accountRow } from './fleet-keys.ts';
import type { Wanted } from './lane.ts';
import { nameOfUse } from './moved-uses.ts';
import type { PassLog } from './pass-log.ts';
import type { Move, UseResult } from './reconcile-use.ts';
import type { UseRef, UseRow } from './use-row.ts';
import { type NewWorkItem, NO_SUBSCRIPTION, type WorkKind } from './work-items.ts';
import type { WorkerPorts } from './worker-ports.ts';

/** Results are written this often, or when there are so many. Milliseconds. */
const WRITE_MS = 1_000;
const MOST_RESULTS = 100;
/** A record that could not be appended is tried again after so long. Milliseconds. */
const RECORD_AGAIN_MS = 30_000;

interface Result {
  /** As it was before. */
  readonly row: UseRow;
  readonly wanted: readonly Wanted[];
  readonly result: Pick<UseResult, 'row' | 'moves' | 'changed'>;
}

/** What a pass does with what its results imply. */
interface ResultsPass {
  readonly subscription: string;
  readonly isHeld: boolean;
  /** Has the key reconciled after the pass. */
  progress(key: ManagedKey, cause: Cause): void;
  readonly log: PassLog;
}

type ResultPorts = Pick<WorkerPorts, 'record' | 'items' | 'rows' | 'fleet' | 'vaults' | 'now'>;

/** What a pass has found, until it is written: records of moves first, then rows, then what a list shows of accounts. */
export class PassResults {
  readonly #pass: ResultsPass;
  readonly #ports: ResultPorts;
  /** Uses as this pass left them: newer than what was read of the index before. */
  readonly #rows = new Map<string, UseRow>();
  #results: Result[] = [];
  /** Ids of moves that this pass has appended to the trail. */
  readonly #recorded = new Set<string>();
  #drops: UseRef[] = [];
  #changes: AccountChange[] = [];
  #listedOn: Date | undefined;
  /** Encryption scopes are to be listed. */
  #wantsScopes = false;
  #writtenAt = 0;
  /** How many moves it has reported. */
  moved = 0;

  constructor(pass: ResultsPass, ports: ResultPorts) {
    this.#pass = pass;
    this.#ports = ports;
  }

  /** The use as this pass left it; undefined: this pass has no result for it. */
  find(use: Pick<UseRow, 'account' | 'scope'>): UseRow | undefined {
    return this.#rows.get(nameOfUse(use));
  }

  /** @param row as it was before */
  add(row: UseRow, result: Result['result'], wanted: readonly Wanted[]): void {
    if (result.row) this.#rows.set(nameOfUse(row), result.row);
    else this.#rows.delete(nameOfUse(row));
    if (result.row !== row || result.moves.length > 0) this.#results.push({ row, wanted, result });
  }

  /** A row as a list shows it. */
  keep(row: UseRow, wanted: Wanted): void {
    this.#rows.set(nameOfUse(row), row);
    this.#results.push({ row, wanted: [wanted], result: { row, moves: [] } });
  }

  /** The account does not exist any more. @param rows those that the index has of it */
  dropAccount(account: string, rows: readonly UseRow[]): readonly UseRow[] {
    // The index lacks rows that this pass has not written yet.
    const own = [...this.#rows.values()].filter((row) => accountRow(row.account) === accountRow(account));
    const all = [...new Set([...rows.map((row) => this.find(row) ?? row), ...own])];
    for (const row of all) this.drop(row);
    return all;
  }

  drop(row: UseRow): void {
    this.#drops.push(row);
    if (this.find(row)?.key === row.key) this.#rows.delete(nameOfUse(row));
  }

  /** A change of an account's row, which is written after those of its uses. */
  change(change: AccountChange): void {
    this.#changes.push(change);
  }

  wantScopes(): void {
    this.#wantsScopes = true;
  }

  /** The whole subscription was listed. @param startedOn when the list began */
  listed(startedOn: Date): void {
    this.#listedOn = startedOn;
  }

  /** @param isIdle nothing else is in flight */
  isDue(isIdle: boolean): boolean {
    const length = this.#results.length + this.#drops.length + this.#changes.length;
    const isLeft = length > 0 || this.#listedOn !== undefined || this.#wantsScopes;
    const isLate = this.#ports.now().getTime() - this.#writtenAt >= WRITE_MS;
    return isLeft && (length >= MOST_RESULTS || isIdle || isLate);
  }

  /**
   * Appends records, then writes rows: from a row with `movedFrom` a later pass makes the record that is missing. After an
   * error, the announced targets attribute moves that the index lacks, as after a crash.
   *
   * @returns whether it has put work items of this subscription
   * @throws the SDK's errors
   */
  async write(isWhole: boolean): Promise<boolean> {
    const [results, drops, changes] = [this.#results.splice(0), this.#drops.splice(0), this.#changes.splice(0)];
    const [listedOn, wantsScopes] = [this.#listedOn, this.#wantsScopes];
    this.#listedOn = undefined;
    this.#wantsScopes = false;
    this.#writtenAt = this.#ports.now().getTime();
    await this.#recordMoves(results);
    if (!this.#pass.isHeld) return false;
    const hasPutItems = await this.#writeRows(results, drops, changes);
    // After the rows: a reader of the listing must find them.
    const { fleet, items, now } = this.#ports;
    if (changes.length > 0) await fleet.write(changes);
    if (wantsScopes) {
      // Replaces an item that a pass has begun, which has not seen these accounts.
      await items.put([this.#itemOf('scopes', '', { by: 'list', ref: '', since: now().toISOString() })]);
    }
    // Unless an earlier part of it could not be written.
    if (listedOn && isWhole) {
      await fleet.listed(this.#pass.subscription, listedOn);
      await this.#progressWaiting();
    }
    return hasPutItems || wantsScopes;
  }

  /** Has the keys reconciled that waited for a list. */
  async #progressWaiting(): Promise<void> {
    for (const { about, reason, cause } of await this.#ports.items.of(NO_SUBSCRIPTION)) {
      const key = reason === 'FleetNotListed' ? this.#ports.vaults.key(about) : undefined;
      if (key) this.#pass.progress(key, cause);
    }
  }

  /** Of two reports of a move the first counts: a use that is read again before its row is written reports it once more. */
  async #recordMoves(results: readonly Result[]): Promise<void> {
    const byId = new Map<string, { readonly move: Move; readonly cause: Cause }>();
    for (const { wanted, result } of results) {
      for (const move of result.moves) {
        if (!this.#recorded.has(move.id) && !byId.has(move.id)) byId.set(move.id, { move, cause: causeOf(wanted) });
      }
    }
    const moves = [...byId.values()];
    if (moves.length > 0) for (const id of await this.#ports.record(moves)) this.#recorded.add(id);
    this.moved += moves.length;
    for (const { move, cause } of moves) this.#pass.log.moved(move, cause);
  }

  async #writeRows(results: readonly Result[], drop: UseRef[], accounts: AccountChange[]): Promise<boolean> {
    const put = new Map<string, UseRow>();
    const items: NewWorkItem[] = [];
    for (const { row: before, wanted, result } of results) {
      const { row, moves, changed } = result;
      const cause = causeOf(wanted);
      const isRecorded = moves.length > 0 && moves.every(({ id }) => this.#recorded.has(id));
      if (moves.length > 0 && !isRecorded) {
        const again = new Date(this.#ports.now().getTime() + RECORD_AGAIN_MS);
        for (const item of wanted) item.postpone(again, 'AuditFailed');
      }
      const isMovedAway = row !== undefined && row.key.toLowerCase() !== before.key.toLowerCase();
      if (!row || isMovedAway) drop.push(before);
      // This item drops what else the index has of the account.
      if (!row && before.scope === undefined) items.push(this.#itemOf('account', before.account, cause));
      if (!row) continue;
      const { movedFrom: _, ...rest } = row;
      const kept = isRecorded ? rest : row;
      this.#rows.set(nameOfUse(before), kept);
      put.set(`${row.key} ${nameOfUse(row)}`, kept);
      // Else lists of accounts would show the old key until the next list.
      if (isMovedAway && row.scope === undefined) accounts.push({ account: row.account, key: row.key });
      const other = isMovedAway ? this.#ports.vaults.key(row.key) : undefined;
      if (other) this.#pass.progress(other, cause);
      // The other key has the row now, and with it what is left to do or to record.
      if (other && (changed || !isRecorded)) items.push(this.#itemOf('key', other.id, cause));
    }
    if (items.length > 0) await this.#ports.items.put(items);
    // Before old rows are dropped, so that a use that changed its key is always in the index.
    if (put.size > 0) await this.#ports.rows.put([...put.values()]);
    if (drop.length > 0) await this.#ports.rows.drop(drop);
    return items.length > 0;
  }

  #itemOf(kind: WorkKind, about: string, cause: Cause): NewWorkItem {
    const now = this.#ports.now();
    return { subscription: this.#pass.subscription, kind, about, due: now, since: now, cause };
  }
}

/** Cause of what follows from a use. */
export function causeOf([wanted]: readonly Wanted[]): Cause {
  return wanted?.item.cause ?? { by: 'operator', ref: '', since: '' };
}
