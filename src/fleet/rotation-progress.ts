import type { Budget } from '../azure/limiter.ts';
import { activeFrom, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { type Contest, contestOf, type PauseOrder } from '../orders/standing-orders.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { hasBeenSince } from '../time/spans.ts';
import { statusOfUse, type UseStatus } from './decide-rollout.ts';
import { accountId } from './fleet-keys.ts';
import { keyUseOf } from './key-use.ts';
import { planKeyUse } from './plan.ts';
import { isAdmitted, type RolloutRow } from './rollout-row.ts';
import type { Rotation, RotationCounts, UnfinishedUse } from './rotation-schemas.ts';
import type { UseRow } from './use-row.ts';

/** What has moved within this time makes the rate. Milliseconds. */
const LATELY_MS = 5 * 60_000;
/** Uses that are listed by name; all are counted. */
const MOST_NAMED = 500;

/** What a count needs beside the uses of the key. */
interface RotationFacts {
  readonly key: ManagedKey;
  readonly versions: readonly KeyVersion[];
  /** The controller's last decision; ignored if its target is another version. */
  readonly rollout: RolloutRow | undefined;
  readonly pause: PauseOrder | undefined;
  readonly contests: readonly Contest[];
  /** Azure's budgets of writes in one subscription and region. */
  readonly writeBudgets: readonly Budget[];
  readonly now: Date;
}

/** Progress in one subscription and region. */
interface PlaceCount {
  readonly subscription: string;
  readonly region: string;
  readonly counts: RotationCounts;
  movedLately: number;
  /** Waiting uses of accounts that the app leaves alone until an operator releases them. */
  contested: number;
}

/**
 * Progress of the rotation of a key. Uses are counted as the controller counts them; `stuck` and `held` are the controller's
 * last decision.
 */
export class RotationCount {
  readonly #facts: RotationFacts;
  /** Undefined: nothing is moved. */
  readonly #target: KeyVersion | undefined;
  readonly #all = noCounts();
  readonly #admitted = noCounts();
  readonly #places = new Map<string, PlaceCount>();
  readonly #lately: string;
  readonly #failures = new Map<string, number>();
  readonly #failedUses: UnfinishedUse[] = [];
  #waitingUses: UnfinishedUse[] = [];
  #contested = 0;

  constructor(facts: RotationFacts) {
    this.#facts = facts;
    const { versions, now } = facts;
    this.#lately = new Date(now.getTime() - LATELY_MS).toISOString();
    this.#target = openRevocation(versions, now) ? undefined : newestUsableVersion(versions, now);
  }

  add(row: UseRow): void {
    if (!this.#target) return;
    const { versions, contests, now } = this.#facts;
    const { status, reason: evaluated, lastTry } = evaluateUse(row, this.#target, versions, now);
    const state = status === 'pending' ? 'waiting' : status;
    const isContested = state === 'waiting' && contestOf(contests, row.account, now) !== undefined;
    const reason = isContested ? 'ContestedChange' : evaluated;
    const place = this.#place(row);
    this.#all[state] += 1;
    place.counts[state] += 1;
    if (status === 'moved' && row.stamp !== undefined && row.stamp > this.#lately) place.movedLately += 1;
    if (isContested) {
      this.#contested += 1;
      place.contested += 1;
    }
    if (isAdmitted(this.#rollout() ?? { stage: 'rest', canaries: [] }, row)) this.#admitted[state] += 1;
    if (status === 'moved' || status === 'left') return;
    const { account, scope, attempts, notBefore } = row;
    const use: UnfinishedUse = {
      ...{ account, reason },
      ...(scope === undefined ? {} : { scope }),
      ...(lastTry ? { lookedOn: lastTry.at } : {}),
      ...(attempts > 0 ? { attempts } : {}),
      ...(notBefore ? { nextTryOn: notBefore } : {}),
    };
    if (status === 'pending') {
      this.#addWaiting(use);
      return;
    }
    this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1);
    if (this.#failedUses.length < MOST_NAMED) this.#failedUses.push({ ...use, detail: REASONS[reason] });
  }

  /** Uses by their state; undefined: nothing is moved. */
  get counts(): RotationCounts | undefined {
    return this.#target && this.#all;
  }

  result(): Rotation {
    const { key, versions, pause, now } = this.#facts;
    const target = this.#target;
    const named = { places: [], failedUses: [], waitingUses: [] };
    const about = { key: key.id, ...(pause ? { pause } : {}) };
    if (!target) {
      const revoked = openRevocation(versions, now) ? 'RevocationOpen' : 'NoUsableVersion';
      return { ...about, state: 'blocked', reason: versions.length === 0 ? 'KeyNotFound' : revoked, ...named };
    }
    const rollout = this.#rollout();
    const startedOn = activeFrom(target).toISOString();
    const places = [...this.#places.values()]
      .map(({ subscription, region, counts, movedLately, contested }) => ({
        ...{ subscription, region, ...counts, movedLately },
        ...this.#expectedEnd(counts.waiting - contested),
      }))
      .sort((a, b) => (`${a.subscription} ${a.region}` < `${b.subscription} ${b.region}` ? -1 : 1));
    const waitingUses = this.#waitingUses.sort(byLastTry).slice(0, MOST_NAMED);
    const expectedEnd = places
      .map((place) => place.expectedEnd ?? '')
      .sort()
      .at(-1);
    return {
      ...about,
      ...this.#state(rollout),
      ...{ version: target.version, startedOn, progressOn: rollout?.progressOn ?? startedOn },
      ...this.#all,
      ...(expectedEnd ? { expectedEnd } : {}),
      failures: Object.fromEntries(this.#failures),
      ...(waitingUses[0] ? { oldestWaiting: waitingUses[0] } : {}),
      ...{ places, failedUses: this.#failedUses, waitingUses },
    };
  }

  /** The only place that derives the state of a rotation. */
  #state(rollout: RolloutRow | undefined): Pick<Rotation, 'state' | 'reason' | 'detail' | 'stage'> {
    const { pause } = this.#facts;
    const { moved, waiting, failed, left } = this.#all;
    // During a pause the index may lack uses, so that an empty count does not mean finished.
    if (waiting + failed === 0 && !(pause && moved + left === 0)) return { state: 'finished' };
    const { stage: name = 'rest', lastNews, unwell, proven } = rollout ?? {};
    const isCanary = name === 'canary';
    const isHeld = lastNews === 'CanaryFailed' || lastNews === 'WaveFailed' || (isCanary && unwell !== undefined);
    const isUnproven = isCanary && !proven && this.#admitted.waiting + this.#admitted.failed === 0;
    const state = isUnproven ? 'unproven' : isHeld ? 'failed' : 'underWay';
    const stage = name === 'rest' ? {} : { stage: { name, state, counts: { ...this.#admitted } } as const };
    if (pause) return { state: 'paused', reason: 'Paused', detail: pause.reason, ...stage };
    const toChange = this.#failures.has('IdentityAssignmentDenied') ? REASONS.IdentityAssignmentDenied : undefined;
    if (!isHeld && waiting + failed === this.#contested) {
      return { state: 'held', reason: 'ContestedChange', detail: REASONS.ContestedChange, ...stage };
    }
    if (!isHeld) {
      const detail = toChange ? { detail: toChange } : {};
      return { state: lastNews === 'RotationStuck' ? 'stuck' : 'underWay', ...detail, ...stage };
    }
    const reason = isCanary ? 'CanaryFailed' : 'WaveFailed';
    const numbers = `${this.#admitted.moved} moved, ${this.#admitted.waiting} waiting, ${this.#admitted.failed} failed.`;
    const detail = [
      `${REASONS[reason]} ${name}: ${numbers}`,
      ...(unwell ? [`These do not serve: ${unwell}.`] : []),
      ...(toChange ? [toChange] : []),
    ];
    return { state: 'held', reason, detail: detail.join(' '), ...stage };
  }

  #rollout(): RolloutRow | undefined {
    const { rollout } = this.#facts;
    return rollout?.target === this.#target?.id ? rollout : undefined;
  }

  #expectedEnd(waiting: number): { expectedEnd?: string } {
    if (waiting === 0) return {};
    const { now, writeBudgets } = this.#facts;
    return { expectedEnd: new Date(now.getTime() + secondsFor(waiting, writeBudgets) * 1000).toISOString() };
  }

  #place({ account, location }: UseRow): PlaceCount {
    const subscription = accountId(account).subscriptionId;
    const name = `${subscription}/${location}`.toLowerCase();
    const place = this.#places.get(name) ?? {
      subscription,
      region: location,
      counts: noCounts(),
      movedLately: 0,
      contested: 0,
    };
    this.#places.set(name, place);
    return place;
  }

  #addWaiting(use: UnfinishedUse): void {
    this.#waitingUses.push(use);
    if (this.#waitingUses.length < 2 * MOST_NAMED) return;
    this.#waitingUses = this.#waitingUses.sort(byLastTry).slice(0, MOST_NAMED);
  }
}

/** How a use is counted in the rotation to a version, and why. */
function evaluateUse(
  row: UseRow,
  target: KeyVersion,
  versions: readonly KeyVersion[],
  now: Date,
): { readonly status: UseStatus; readonly reason: Reason; readonly lastTry: LastTry | undefined } {
  const tried = lastTryOf(row);
  const lastTry = tried && hasBeenSince(tried.at, activeFrom(target).getTime() - 1, now) ? tried : undefined;
  const status = statusOfUse(row, target);
  const isWrong = status === 'failed' || lastTry?.result === 'retry';
  const planned = () => planKeyUse(keyUseOf(row), versions, now).reason;
  return { status, reason: (isWrong ? tried?.reason : undefined) ?? planned(), lastTry };
}

/** Outcome of the last try to move a use. */
interface LastTry {
  readonly result: 'done' | 'retry';
  readonly reason: Reason;
  /** ISO 8601. */
  readonly at: string;
}

/** Undefined: the use is still to be tried. */
export function lastTryOf({ state, reason, at }: UseRow): LastTry | undefined {
  if (state === 'pending') return undefined;
  const result = state === 'failed' || state === 'indeterminate' ? 'retry' : 'done';
  return { result, reason: reason ?? 'UpToDate', at };
}

/** Estimates the moves and the time of a rotation to a version that is created now: the slowest region of a subscription decides. */
export class RotationCost {
  readonly #moves = new Map<string, number>();

  add({ account, location }: UseRow): void {
    const place = `${accountId(account).subscriptionId}/${location}`.toLowerCase();
    this.#moves.set(place, (this.#moves.get(place) ?? 0) + 1);
  }

  result(writeBudgets: readonly Budget[]): { readonly moves: number; readonly seconds: number } {
    const all = [...this.#moves.values()];
    const seconds = Math.max(0, ...all.map((moves) => Math.ceil(secondsFor(moves, writeBudgets))));
    return { moves: all.reduce((sum, moves) => sum + moves, 0), seconds };
  }
}

/** How long so many calls take, in seconds, where what comes at once is free. */
export function secondsFor(calls: number, budgets: readonly Budget[]): number {
  return Math.max(
    0,
    ...budgets.map(
      (budget) => (Math.max(0, calls - (budget.burst ?? budget.calls)) * budget.perMs) / budget.calls / 1000,
    ),
  );
}

function noCounts(): RotationCounts {
  return { moved: 0, waiting: 0, failed: 0, left: 0 };
}

function byLastTry({ lookedOn: a = '' }: UnfinishedUse, { lookedOn: b = '' }: UnfinishedUse): number {
  return a < b ? -1 : Number(a > b);
}
