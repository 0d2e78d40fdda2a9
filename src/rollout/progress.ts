import type { Budget } from '../azure/pacer.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import type { FleetUse } from '../fleet/fleet-index.ts';
import { secondsFor } from '../fleet/rotation-progress.ts';
import type { Reason } from '../reasons.ts';
import { type JudgedUse, judgeUse, outcomeSince, type RotationGoal, type UseState } from './judge-use.ts';

/** A rotation in which nothing has moved for so long, although something should, is stuck. Milliseconds. */
const STUCK_MS = 15 * 60_000;
/** Uses that are named one by one; all are counted. */
const MOST_NAMED = 500;

type UseCounts = Readonly<Record<UseState, number>>;

/** A use that is not moved yet. */
export interface UnmovedUse {
  /** ARM id of the account. */
  readonly account: string;
  /** Encryption scope; absent: the account itself. */
  readonly scope?: string;
  readonly reason: Reason;
  /** What Azure said, and what to do, where that is known. */
  readonly detail?: string;
  /** When it was last looked at in order to move it (ISO 8601); absent: not since the rotation began. */
  readonly lookedOn?: string;
}

/** What shares a budget of Azure's. */
export interface RotationPlace extends UseCounts {
  readonly subscription: string;
  readonly region: string;
  /** When what waits here is moved, if the budget is the rotation's alone (ISO 8601); absent: nothing waits. */
  readonly expectedEnd?: string;
}

/** How far a rotation is: computed from what is known of the key's uses, never counted along the way. */
export interface RotationProgress extends UseCounts {
  /** `finished`: everything is where it should be, but for what is left to Storage. `stuck`: nothing has moved for long. */
  readonly state: 'finished' | 'underWay' | 'stuck';
  /** The version that everything moves onto. */
  readonly version: string;
  readonly startedOn: string;
  /** When a move was last seen to have succeeded; else when it began (ISO 8601). */
  readonly progressOn: string;
  readonly expectedEnd?: string;
  readonly places: readonly RotationPlace[];
  /** Reasons of what failed, with their numbers. */
  readonly failures: Readonly<Partial<Record<Reason, number>>>;
  /** Those that failed, as many as are named. */
  readonly failedUses: readonly UnmovedUse[];
  /** Those that wait, the one that nobody has looked at for longest first, as many as are named. */
  readonly waitingUses: readonly UnmovedUse[];
}

/** Adds up the uses of a key, one after the other, without keeping those that are moved. */
export class ProgressCount {
  readonly #goal: RotationGoal;
  readonly #writes: readonly Budget[];
  readonly #counts = noneYet();
  readonly #places = new Map<string, { subscription: string; region: string; counts: Record<UseState, number> }>();
  readonly #failures = new Map<Reason, number>();
  readonly #failedUses: UnmovedUse[] = [];
  #waitingUses: UnmovedUse[] = [];
  readonly #releasedMs: number;
  #hasMoved = false;
  #progressMs: number;

  /**
   * @param writes what Azure takes of writes in one subscription and region
   * @param releasedOn when a pause last ended
   */
  constructor(goal: RotationGoal, writes: readonly Budget[], releasedOn?: Date) {
    this.#goal = goal;
    this.#writes = writes;
    this.#releasedMs = releasedOn?.getTime() ?? 0;
    this.#progressMs = goal.startedOn.getTime();
  }

  add(use: FleetUse): JudgedUse {
    const judged = judgeUse(use, this.#goal);
    const { state, reason } = judged;
    const place = this.#place(use);
    this.#counts[state] += 1;
    place.counts[state] += 1;
    const outcome = outcomeSince(use, this.#goal);
    if (state === 'moved' && outcome?.result === 'done') {
      this.#progressMs = Math.max(this.#progressMs, Date.parse(outcome.at));
      this.#hasMoved ||= outcome.reason !== 'UpToDate';
    }
    if (state === 'failed') {
      this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1);
      if (this.#failedUses.length < MOST_NAMED) this.#failedUses.push(this.#unmoved(use, reason));
    }
    if (state === 'waiting') this.#wait(this.#unmoved(use, reason));
    return judged;
  }

  /** Whether this rotation is known to have moved a use, not only found it on the version. */
  get hasMoved(): boolean {
    return this.#hasMoved;
  }

  result(): RotationProgress {
    const { target, startedOn, now } = this.#goal;
    const { waiting, failed } = this.#counts;
    const isQuiet = now.getTime() - Math.max(this.#progressMs, this.#releasedMs) > STUCK_MS;
    const seconds = [...this.#places.values()].map(({ counts }) => secondsFor(counts.waiting, this.#writes));
    const end = Math.max(0, ...seconds);
    return {
      state: waiting + failed === 0 ? 'finished' : isQuiet ? 'stuck' : 'underWay',
      version: target.version,
      startedOn: startedOn.toISOString(),
      progressOn: new Date(this.#progressMs).toISOString(),
      ...this.#counts,
      ...this.#expected(waiting, end),
      places: [...this.#places.values()]
        .map(({ subscription, region, counts }) => ({
          subscription,
          region,
          ...counts,
          ...this.#expected(counts.waiting, secondsFor(counts.waiting, this.#writes)),
        }))
        .sort((a, b) => (`${a.subscription} ${a.region}` < `${b.subscription} ${b.region}` ? -1 : 1)),
      failures: Object.fromEntries(this.#failures),
      failedUses: this.#failedUses,
      waitingUses: [...this.#waitingUses].sort(byLookedOn).slice(0, MOST_NAMED),
    };
  }

  #expected(waiting: number, seconds: number): { expectedEnd?: string } {
    if (waiting === 0) return {};
    return { expectedEnd: new Date(this.#goal.now.getTime() + seconds * 1000).toISOString() };
  }

  #place({ account, location }: FleetUse) {
    const subscription = parseStorageAccountId(account)?.subscriptionId ?? '';
    const name = `${subscription}/${location}`.toLowerCase();
    const place = this.#places.get(name) ?? { subscription, region: location, counts: noneYet() };
    this.#places.set(name, place);
    return place;
  }

  #unmoved(use: FleetUse, reason: Reason): UnmovedUse {
    const { account, scope } = use;
    const outcome = outcomeSince(use, this.#goal);
    return {
      account,
      ...(scope ? { scope } : {}),
      reason,
      ...(outcome?.detail ? { detail: outcome.detail } : {}),
      ...(outcome ? { lookedOn: outcome.at } : {}),
    };
  }

  #wait(use: UnmovedUse): void {
    this.#waitingUses.push(use);
    if (this.#waitingUses.length < 2 * MOST_NAMED) return;
    this.#waitingUses = this.#waitingUses.sort(byLookedOn).slice(0, MOST_NAMED);
  }
}

function noneYet(): Record<UseState, number> {
  return { moved: 0, waiting: 0, failed: 0, left: 0 };
}

function byLookedOn({ lookedOn: a = '' }: UnmovedUse, { lookedOn: b = '' }: UnmovedUse): number {
  return a < b ? -1 : Number(a > b);
}
