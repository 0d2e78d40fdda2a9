import { toKeyUse } from '../accounts/key-use.ts';
import { WRITE_BUDGETS } from '../azure/limiter.ts';
import { createNoCounts, getStatusOfUse, type RotationCounts } from '../controller/decide-rollout.ts';
import { planKeyUse } from '../controller/plan.ts';
import { REASONS } from '../errors/reasons.ts';
import { compareText } from '../formats/text.ts';
import { parseAccountId } from '../index/fleet-keys.ts';
import { isAdmitted, isHeld, type RolloutRow } from '../index/rollout-row.ts';
import type { UseRow } from '../index/use-row.ts';
import { findNewestUsableVersion, getActiveFrom, type KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { type Contest, findContest, type PauseOrder } from '../orders/standing-orders.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { Rotation, UnfinishedUse } from './rotation-schemas.ts';

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
  readonly now: Date;
}

/** Uses in one subscription and region. */
interface PlaceCount {
  readonly subscription: string;
  readonly region: string;
  readonly counts: RotationCounts;
  total: number;
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
  readonly #all = createNoCounts();
  readonly #admitted = createNoCounts();
  readonly #places = new Map<string, PlaceCount>();
  readonly #failures = new Map<string, number>();
  readonly #failedUses: UnfinishedUse[] = [];
  #oldestWaiting: { readonly use: UnfinishedUse; readonly at: string } | undefined;

  constructor(facts: RotationFacts) {
    const { versions, rollout, now } = facts;
    this.#facts = facts;
    this.#target = openRevocation(versions, now) ? undefined : findNewestUsableVersion(versions, now);
    this.#rollout = rollout?.target === this.#target?.id ? rollout : undefined;
  }

  add(row: UseRow): void {
    const place = this.#place(row);

    place.total += 1;

    if (!this.#target) return;

    const { pause, now } = this.#facts;

    // Uses that the drift check skipped also wait for the end of a pause.
    const status = getStatusOfUse(row, this.#target, !pause);

    this.#all[status] += 1;
    place.counts[status] += 1;
    if (isAdmitted(this.#rollout ?? { stage: 'rest', canaries: [] }, row)) this.#admitted[status] += 1;
    if (status === 'moved' && Date.parse(row.stamp ?? '') > now.getTime() - LATELY_MS) place.movedLately += 1;
    if (status === 'waiting') this.#addWaiting(row, place);
    if (status === 'failed') this.#addFailed(row);
  }

  #addWaiting(row: UseRow, place: PlaceCount): void {
    const { versions, contests, now } = this.#facts;
    const tried = getLastTry(row);
    let reason = tried?.result === 'retry' ? tried.reason : planKeyUse(toKeyUse(row), versions, now).reason;

    if (findContest(contests, row.account, now)) {
      reason = 'ContestedChange';
      place.contested += 1;
    }

    const at = tried?.at ?? '';
    if (this.#oldestWaiting && at >= this.#oldestWaiting.at) return;

    this.#oldestWaiting = { use: { account: row.account, scope: row.scope, reason, nextTryOn: row.notBefore }, at };
  }

  #addFailed({ account, scope, reason = 'UpToDate', notBefore: nextTryOn }: UseRow): void {
    this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1);
    if (this.#failedUses.length < MOST_NAMED) {
      this.#failedUses.push({ account, scope, reason, nextTryOn, detail: REASONS[reason] });
    }
  }

  /** Uses by state; undefined if the key has no target. */
  get counts(): RotationCounts | undefined {
    return this.#target && this.#all;
  }

  /** Estimates the number of moves and the duration of a rotation of all uses to a new version. */
  cost(): { readonly moves: number; readonly seconds: number } {
    const totals = [...this.#places.values()].map(({ total }) => total);
    const seconds = totals.map((total) => Math.ceil(secondsFor(total)));
    return { moves: totals.reduce((sum, total) => sum + total, 0), seconds: Math.max(0, ...seconds) };
  }

  result(): Rotation {
    const { key, versions, pause, now } = this.#facts;
    const target = this.#target;
    if (!target) {
      const revoked = openRevocation(versions, now) ? 'RevocationOpen' : 'NoUsableVersion';
      const reason = versions.length === 0 ? 'KeyNotFound' : revoked;
      return { key: key.id, pause, state: 'blocked', reason, places: [], failedUses: [] };
    }

    const startedOn = getActiveFrom(target).toISOString();

    const places = [...this.#places.values()]
      .map(({ subscription, region, counts, movedLately, contested }) => ({
        subscription,
        region,
        ...counts,
        movedLately,
        expectedEnd: expectedEnd(counts.waiting - contested, now),
      }))
      .sort((a, b) => compareText(`${a.subscription} ${a.region}`, `${b.subscription} ${b.region}`));

    return {
      key: key.id,
      pause,
      ...this.#state(),
      ...this.#all,
      version: target.version,
      startedOn,
      progressOn: this.#rollout?.progressOn ?? startedOn,
      expectedEnd: places
        .flatMap(({ expectedEnd = [] }) => expectedEnd)
        .sort()
        .at(-1),
      failures: Object.fromEntries(this.#failures),
      oldestWaiting: this.#oldestWaiting?.use,
      places,
      failedUses: this.#failedUses,
    };
  }

  /** Derives the state of a rotation; no other code does. */
  #state(): Pick<Rotation, 'state' | 'reason' | 'detail' | 'stage'> {
    const { pause } = this.#facts;
    const { moved, waiting, failed, left } = this.#all;

    // During a pause the index may lack uses, so a count of zero does not mean finished.
    if (waiting + failed === 0 && !(pause && moved + left === 0)) return { state: 'finished' };

    const { stage: name = 'rest', lastNews, failing, proven } = this.#rollout ?? {};
    const isCanary = name === 'canary';
    const hasFailed = this.#rollout !== undefined && isHeld(this.#rollout);
    const isUnproven = isCanary && !proven && this.#admitted.waiting + this.#admitted.failed === 0;
    const progress = hasFailed ? 'failed' : 'underWay';
    const state = isUnproven ? 'unproven' : progress;
    const stage = name === 'rest' ? {} : { stage: { name, state } as const };
    if (pause) return { state: 'paused', reason: 'Paused', detail: pause.reason, ...stage };

    const contested = [...this.#places.values()].reduce((sum, place) => sum + place.contested, 0);
    if (!hasFailed && waiting + failed === contested) {
      return { state: 'held', reason: 'ContestedChange', detail: REASONS.ContestedChange, ...stage };
    }

    if (!hasFailed) {
      return { state: lastNews === 'RotationStuck' ? 'stuck' : 'underWay', ...stage };
    }

    const reason = isCanary ? 'CanaryFailed' : 'WaveFailed';
    const numbers = `${this.#admitted.moved} moved, ${this.#admitted.waiting} waiting, ${this.#admitted.failed} failed.`;
    const detail = [
      `${REASONS[reason]} ${name}: ${numbers}`,
      ...(failing ? [`Canaries that failed the probe: ${failing}.`] : []),
    ];

    return { state: 'held', reason, detail: detail.join(' '), ...stage };
  }

  #place({ account, location: region }: UseRow): PlaceCount {
    const subscription = parseAccountId(account).subscriptionId;
    const name = `${subscription}/${region}`.toLowerCase();
    const none = { subscription, region, counts: createNoCounts(), total: 0, movedLately: 0, contested: 0 };
    const place = this.#places.get(name) ?? none;
    this.#places.set(name, place);
    return place;
  }
}

/** Returns the result of the last attempt to move a use; undefined before the first. */
export function getLastTry({ state, reason = 'UpToDate', at }: UseRow) {
  if (state === 'pending') return undefined;
  const isRetried = state === 'failed' || state === 'indeterminate';
  return { result: isRetried ? ('retry' as const) : ('done' as const), reason, at };
}

function expectedEnd(waiting: number, now: Date): string | undefined {
  return waiting === 0 ? undefined : new Date(now.getTime() + secondsFor(waiting) * 1000).toISOString();
}

/** Returns the duration of a number of moves in one subscription and region, in seconds. The first calls of each budget are free. */
function secondsFor(moves: number): number {
  const needed = WRITE_BUDGETS.map(({ calls, perMs }) => ((moves - calls) * perMs) / calls / 1000);
  return Math.max(0, ...needed);
}
