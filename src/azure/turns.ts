import { Calendar, type TokenBudget } from './calendar.ts';
import { type Budget, DOCUMENTED, Pacer, shareOf } from './pacer.ts';

/** Where calls are counted: the cell is a subscription and region. */
export interface PacedPlace {
  readonly subscriptionId: string;
  readonly location: string;
}

/** Calls to the Storage resource provider. Azure Resource Manager counts them too; lists are too few for it to matter. */
export interface PacedCalls {
  readonly writes?: number;
  readonly reads?: number;
  readonly lists?: number;
  /** Lists that are in no hurry: they leave a part of what is to be had in five minutes to others. */
  readonly isPatient?: boolean;
}

/** Which turn it is to be. */
interface WantedTurn {
  /** The turn that was handed out with the work (milliseconds since the epoch): no earlier than that. */
  readonly turnMs?: number | undefined;
  /** No earlier than in so many milliseconds. */
  readonly notBeforeMs?: number;
  /** One that is further away, in milliseconds, is not taken. */
  readonly mostMs?: number;
  /** For work that had a turn already: what was laid out for an hour after that slips with it. */
  readonly isSlipped?: boolean;
}

type Counted = Pick<Pacer, 'earliest' | 'commit' | 'release' | 'forget'>;

/** A second's budget is used to this part of it, so that calls which were held up on the way find room. */
const OF_A_SECOND = 0.98;
/** Of ten writes that may come at once so few do, for the same reason, and as each further instance may do as many. */
const WRITES_AT_ONCE = 3;
/** Reads and writes of Azure Resource Manager that are left to the app's own calls which are not paced. */
const NOT_PACED = 10;
/** Lists that many wait for by the hundred leave one of so many to events, whose accounts may have scopes to be moved, too. */
const PATIENT_LEAVE_ONE_OF = 8;
/** A turn that is further ahead than this was given by another clock: its message is out of sight until it is near. Milliseconds. */
const AHEAD_MS = 2_500;

/**
 * The budgets that a call about a storage account counts against, together: a turn is a time at which all of them have
 * room. One of these is what the work is laid out by (it is shared by everything that hands out work), another one guards
 * what is done, so that work which comes in a heap is spread all the same.
 */
export class Turns {
  readonly #writes: Pacer;
  readonly #reads: Pacer;
  readonly #lists: Pacer;
  readonly #listBudget: Budget;
  readonly #armReads: Calendar;
  readonly #armWrites: Calendar;

  /**
   * @param share of the budgets of minutes and hours (`CMK_BUDGET_SHARE`). A second's is back after a second, and the share
   *   of an hour's lasts for two minutes of it; Azure Resource Manager's are the app's alone.
   */
  constructor(share: number) {
    const { storageReads, storageWritesASecond, storageWritesAnHour, storageLists, armReads, armWrites } = DOCUMENTED;
    const second = { ...storageWritesASecond, calls: storageWritesASecond.calls * OF_A_SECOND, burst: WRITES_AT_ONCE };
    const apart = (budget: TokenBudget): TokenBudget => ({ ...budget, burst: budget.burst - NOT_PACED });
    this.#writes = new Pacer([second, shareOf(storageWritesAnHour, share)]);
    this.#reads = new Pacer([shareOf(storageReads, share)]);
    this.#listBudget = shareOf(storageLists, share);
    this.#lists = new Pacer([this.#listBudget]);
    this.#armReads = new Calendar(apart(armReads));
    this.#armWrites = new Calendar(apart(armWrites));
  }

  /**
   * Takes a turn; returns how long to wait for it, in milliseconds.
   *
   * @param nowMs milliseconds since the epoch
   */
  take(place: PacedPlace, calls: PacedCalls, nowMs: number, wanted: WantedTurn = {}): number {
    const { turnMs, notBeforeMs = 0, mostMs = Number.POSITIVE_INFINITY, isSlipped } = wanted;
    const parts = this.#parts(place, calls);
    for (const [pacer, name] of parts) pacer.forget(name, nowMs);
    let atMs = turnMs !== undefined && turnMs > nowMs && turnMs <= nowMs + AHEAD_MS ? turnMs : nowMs + notBeforeMs;
    // Each may be later than the one before; later is never too early for any of them. Whole milliseconds, so that what is
    // given back is counted where it was taken.
    for (let before = -1; before !== atMs; ) {
      before = atMs;
      for (const [pacer, name, count, left] of parts)
        atMs = Math.ceil(pacer.earliest(name, atMs, count + left, isSlipped));
    }
    const waitMs = Math.ceil(atMs - nowMs);
    if (waitMs <= mostMs) for (const [pacer, name, count] of parts) pacer.commit(name, atMs, count);
    return waitMs;
  }

  /** About when the last of so many lists that are in no hurry has its turn there, in milliseconds from then on; 0: all have one now. None is taken. */
  listsMs(place: PacedPlace, lists: number, nowMs: number): number {
    const one = { lists: 1, isPatient: true };
    let free = 0;
    while (free < lists && this.take(place, one, nowMs, { mostMs: 0 }) <= 0) free += 1;
    const firstMs = this.take(place, one, nowMs, { mostMs: -1 });
    for (let n = 0; n < free; n += 1) this.release(place, one, nowMs);
    if (free === lists) return 0;
    const { calls, perMs } = this.#listBudget;
    return firstMs + Math.floor((lists - free - 1) / (calls - this.#listsLeft)) * perMs;
  }

  /**
   * Gives back what was taken here for that very time (milliseconds since the epoch), and not used. What another instance
   * has handed out was not taken here.
   */
  release(place: PacedPlace, calls: PacedCalls, atMs: number): void {
    for (const [pacer, name, count] of this.#parts(place, calls)) pacer.release(name, atMs, count);
  }

  /** A call there was answered with 429. No account is read or written meanwhile; that lists are used up is no matter of theirs. */
  refused(place: PacedPlace, what: 'call' | 'list', nowMs: number, retryAfterMs: number): void {
    const cell = pacingCell(place);
    for (const pacer of this.#refusing(what)) pacer.refused(cell, nowMs, nowMs + retryAfterMs);
  }

  /** For how long such calls are not to be made there, as one of them was answered with 429: milliseconds from then on. */
  closedMs(place: PacedPlace, { lists = 0, reads = 0, writes = 0 }: PacedCalls, nowMs: number): number {
    const isCall = reads + writes > 0;
    const refusing = [...(lists > 0 ? this.#refusing('list') : []), ...(isCall ? this.#refusing('call') : [])];
    return Math.max(0, ...refusing.map((pacer) => pacer.closedUntil(pacingCell(place)) - nowMs));
  }

  get #listsLeft(): number {
    return Math.floor(this.#listBudget.calls / PATIENT_LEAVE_ONE_OF);
  }

  #refusing(what: 'call' | 'list'): readonly Pacer[] {
    return what === 'list' ? [this.#lists] : [this.#writes, this.#reads];
  }

  /** Each with how many calls count there, and how many more must be free then. */
  #parts(
    place: PacedPlace,
    { writes = 0, reads = 0, lists = 0, isPatient = false }: PacedCalls,
  ): (readonly [Counted, string, number, number])[] {
    const cell = pacingCell(place);
    const subscription = place.subscriptionId.toLowerCase();
    const all = [
      [this.#writes, cell, writes, 0],
      [this.#reads, cell, reads, 0],
      [this.#lists, cell, lists, isPatient ? this.#listsLeft : 0],
      [this.#armReads, subscription, reads, 0],
      [this.#armWrites, subscription, writes, 0],
    ] as const;
    return all.filter(([, , count]) => count > 0);
  }
}

/** Subscription and region: what the Storage resource provider's budgets hold for. */
export function pacingCell({ subscriptionId, location }: PacedPlace): string {
  return `${subscriptionId}/${location}`.toLowerCase();
}
