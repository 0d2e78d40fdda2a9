import type { Budget } from '../azure/limiter.ts';
import { activeFrom, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { type Contest, contestOf, type PauseOrder } from '../orders/standing-orders.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { statusOfUse } from './decide-rollout.ts';
import { accountId } from './fleet-keys.ts';
import { keyUseOf } from './key-use.ts';
import { planKeyUse } from './plan.ts';
import { isAdmitted, type RolloutRow } from './rollout-row.ts';
import type { Rotation, RotationCounts, UnfinishedUse } from './rotation-schemas.ts';
import type { UseRow } from './use-row.ts';

/** Period of the moves from which the rate is computed. Milliseconds. */
const LATELY_MS = 5 * 60_000;
/** Maximum number of uses that a report names; the counts include all uses. */
const MOST_NAMED = 500;

/** Input of a count, apart from the key's uses. */
interface RotationFacts {
  readonly key: ManagedKey;
  readonly versions: readonly KeyVersion[];
  /** The controller's last decision; ignored if its target version differs. */
  readonly rollout: RolloutRow | undefined;
  readonly pause: PauseOrder | undefined;
  readonly contests: readonly Contest[];
  /** Azure's write limits in one subscription and region. */
  readonly writeBudgets: readonly Budget[];
  readonly now: Date;
}

/** Progress in one subscription and region. */
interface PlaceCount {
  readonly subscription: string;
  readonly region: string;
  readonly counts: RotationCounts;
  movedLately: number;
  /** Waiting uses of contested accounts, which the app does not change until an operator releases them. */
  contested: number;
}

/**
 * Progress of the rotation of a key. Counts uses by the controller's rules; `stuck` and `held` are the controller's
 * last decision.
 */
export class RotationCount {
  readonly #facts: RotationFacts;
  /** Undefined if the key has no target. */
  readonly #target: KeyVersion | undefined;
  readonly #rollout: RolloutRow | undefined;
  readonly #all = noCounts();
  readonly #admitted = noCounts();
  readonly #places = new Map<string, PlaceCount>();
  readonly #lately: string;
  readonly #failures = new Map<string, number>();
  readonly #failedUses: UnfinishedUse[] = [];
  #oldestWaiting: UnfinishedUse | undefined;
  #oldestAt = '';
  #contested = 0;

  constructor(facts: RotationFacts) {
    this.#facts = facts;
    const { versions, rollout, now } = facts;
    this.#lately = new Date(now.getTime() - LATELY_MS).toISOString();
    this.#target = openRevocation(versions, now) ? undefined : newestUsableVersion(versions, now);
    this.#rollout = rollout?.target === this.#target?.id ? rollout : undefined;
  }

  add(row: UseRow): void {
    const target = this.#target;
    if (!target) return;
    const { versions, contests, pause, now } = this.#facts;
    // Uses that the drift check skipped also wait for the end of a pause.
    const status = statusOfUse(row, target, !pause);
    const state = status === 'pending' ? 'waiting' : status;
    const place = this.#place(row);
    this.#all[state] += 1;
    place.counts[state] += 1;
    if (isAdmitted(this.#rollout ?? { stage: 'rest', canaries: [] }, row)) this.#admitted[state] += 1;
    if (status === 'moved' && row.stamp !== undefined && row.stamp > this.#lately) place.movedLately += 1;
    if (status === 'moved' || status === 'left') return;
    const isContested = status === 'pending' && contestOf(contests, row.account, now) !== undefined;
    const tried = lastTryOf(row);
    const planned = (): Reason => planKeyUse(keyUseOf(row), versions, now).reason;
    const reason = isContested ? 'ContestedChange' : tried?.result === 'retry' ? tried.reason : planned();
    const { account, scope, notBefore } = row;
    const use: UnfinishedUse = {
      ...{ account, reason },
      ...(scope === undefined ? {} : { scope }),
      ...(notBefore ? { nextTryOn: notBefore } : {}),
    };
    if (status === 'pending') {
      if (isContested) {
        this.#contested += 1;
        place.contested += 1;
      }
      const at = tried?.at ?? '';
      if (this.#oldestWaiting && at >= this.#oldestAt) return;
      this.#oldestWaiting = use;
      this.#oldestAt = at;
      return;
    }
    this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1);
    if (this.#failedUses.length < MOST_NAMED) this.#failedUses.push({ ...use, detail: REASONS[reason] });
  }

  /** Uses by state; undefined if the key has no target. */
  get counts(): RotationCounts | undefined {
    return this.#target && this.#all;
  }

  result(): Rotation {
    const { key, versions, pause, now } = this.#facts;
    const target = this.#target;
    const named = { places: [], failedUses: [] };
    const about = { key: key.id, ...(pause ? { pause } : {}) };
    if (!target) {
      const revoked = openRevocation(versions, now) ? 'RevocationOpen' : 'NoUsableVersion';
      return { ...about, state: 'blocked', reason: versions.length === 0 ? 'KeyNotFound' : revoked, ...named };
    }
    const startedOn = activeFrom(target).toISOString();
    const places = [...this.#places.values()]
      .map(({ subscription, region, counts, movedLately, contested }) => ({
        ...{ subscription, region, ...counts, movedLately },
        ...this.#expectedEnd(counts.waiting - contested),
      }))
      .sort((a, b) => (`${a.subscription} ${a.region}` < `${b.subscription} ${b.region}` ? -1 : 1));
    const expectedEnd = places
      .map((place) => place.expectedEnd ?? '')
      .sort()
      .at(-1);
    return {
      ...about,
      ...this.#state(),
      ...{ version: target.version, startedOn, progressOn: this.#rollout?.progressOn ?? startedOn },
      ...this.#all,
      ...(expectedEnd ? { expectedEnd } : {}),
      failures: Object.fromEntries(this.#failures),
      ...(this.#oldestWaiting ? { oldestWaiting: this.#oldestWaiting } : {}),
      ...{ places, failedUses: this.#failedUses },
    };
  }

  /** Derives the state of a rotation; no other code does. */
  #state(): Pick<Rotation, 'state' | 'reason' | 'detail' | 'stage'> {
    const { pause } = this.#facts;
    const { moved, waiting, failed, left } = this.#all;
    // During a pause the index may lack uses, so a count of zero does not mean finished.
    if (waiting + failed === 0 && !(pause && moved + left === 0)) return { state: 'finished' };
    const { stage: name = 'rest', lastNews, unwell, proven } = this.#rollout ?? {};
    const isCanary = name === 'canary';
    const isHeld = lastNews === 'CanaryFailed' || lastNews === 'WaveFailed' || (isCanary && unwell !== undefined);
    const isUnproven = isCanary && !proven && this.#admitted.waiting + this.#admitted.failed === 0;
    const state = isUnproven ? 'unproven' : isHeld ? 'failed' : 'underWay';
    const stage = name === 'rest' ? {} : { stage: { name, state } as const };
    if (pause) return { state: 'paused', reason: 'Paused', detail: pause.reason, ...stage };
    if (!isHeld && waiting + failed === this.#contested) {
      return { state: 'held', reason: 'ContestedChange', detail: REASONS.ContestedChange, ...stage };
    }
    if (!isHeld) {
      return { state: lastNews === 'RotationStuck' ? 'stuck' : 'underWay', ...stage };
    }
    const reason = isCanary ? 'CanaryFailed' : 'WaveFailed';
    const numbers = `${this.#admitted.moved} moved, ${this.#admitted.waiting} waiting, ${this.#admitted.failed} failed.`;
    const detail = [
      `${REASONS[reason]} ${name}: ${numbers}`,
      ...(unwell ? [`Canaries that failed the probe: ${unwell}.`] : []),
    ];
    return { state: 'held', reason, detail: detail.join(' '), ...stage };
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
}

/** Result of the last attempt to move a use. */
interface LastTry {
  readonly result: 'done' | 'retry';
  readonly reason: Reason;
  /** ISO 8601. */
  readonly at: string;
}

/** Returns undefined before the first attempt. */
export function lastTryOf({ state, reason, at }: UseRow): LastTry | undefined {
  if (state === 'pending') return undefined;
  const result = state === 'failed' || state === 'indeterminate' ? 'retry' : 'done';
  return { result, reason: reason ?? 'UpToDate', at };
}

/** Estimates the number of moves and the duration of a rotation to a new version. */
export class RotationCost {
  /** Number of moves by subscription and region. */
  readonly #moves = new Map<string, number>();

  add({ account, location }: UseRow): void {
    const place = `${accountId(account).subscriptionId}/${location}`.toLowerCase();
    this.#moves.set(place, (this.#moves.get(place) ?? 0) + 1);
  }

  result(writeBudgets: readonly Budget[]): { readonly moves: number; readonly seconds: number } {
    const all = [...this.#moves.values()];
    const moves = all.reduce((sum, some) => sum + some, 0);
    return { moves, seconds: Math.max(0, ...all.map((some) => Math.ceil(secondsFor(some, writeBudgets)))) };
  }
}

/** Returns the duration of a number of calls, in seconds. The burst is free. */
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
