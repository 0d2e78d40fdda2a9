import type { Budget } from '../azure/pacer.ts';
import type { FleetUse } from '../fleet/fleet-index.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { RotationGoal } from '../rollout/judge-use.ts';
import { ProgressCount, type RotationProgress, secondsFor } from '../rollout/progress.ts';
import type { KeyUsersView, RotationCost } from './key-view.ts';

interface VersionCount {
  readonly version?: string;
  accounts: number;
  scopes: number;
}

/** Adds up the uses of a key by the version that each is on, without keeping them. */
export class UseCount {
  readonly #versions = new Map<string, VersionCount>();
  readonly #all: VersionCount = { accounts: 0, scopes: 0 };
  #oldest = '';
  #newest = '';

  get uses(): number {
    return this.#all.accounts + this.#all.scopes;
  }

  add({ current, pinned, scope, readOn }: FleetUse): void {
    const version = current ?? pinned;
    const name = version ?? '';
    const count = this.#versions.get(name) ?? { ...(version ? { version } : {}), accounts: 0, scopes: 0 };
    this.#versions.set(name, count);
    for (const one of [count, this.#all]) {
      if (scope === undefined) one.accounts += 1;
      else one.scopes += 1;
    }
    if (this.#oldest === '' || readOn < this.#oldest) this.#oldest = readOn;
    if (readOn > this.#newest) this.#newest = readOn;
  }

  /**
   * @param progress how far they are on their way to the newest usable version; undefined: there is none, or the key is revoked
   * @param complete whether all were counted
   */
  result(progress: RotationProgress | undefined, complete: boolean): KeyUsersView {
    const { accounts, scopes } = this.#all;
    return {
      accounts,
      scopes,
      versions: [...this.#versions.values()].sort((a, b) => b.accounts + b.scopes - a.accounts - a.scopes),
      ...(progress ? standingOf(progress) : {}),
      complete,
      ...(this.#oldest ? { oldest: this.#oldest, newest: this.#newest } : {}),
    };
  }
}

function standingOf({ moved, waiting, failed, left }: RotationProgress): Partial<KeyUsersView> {
  return { lagging: waiting + failed + left, moved, waiting, failed, left };
}

/** Adds up what a rotation now would move, by the same rules by which a rotation is judged. */
export class CostCount {
  readonly #count: ProgressCount;
  readonly #budgets: readonly Budget[];

  /** Undefined where nothing would be moved: the key is revoked. */
  static of(
    versions: readonly KeyVersion[],
    settings: { readonly refreshAutomatic: boolean },
    budgets: readonly Budget[],
    now: Date,
  ): CostCount | undefined {
    if (openRevocation(versions, now)) return undefined;
    return new CostCount({ ...nextGoal(versions, now), ...settings, now }, budgets);
  }

  private constructor(goal: RotationGoal, budgets: readonly Budget[]) {
    this.#budgets = budgets;
    this.#count = new ProgressCount(goal, budgets);
  }

  /** What came of earlier looks says nothing of a rotation to come. */
  add({ outcome: _, ...use }: FleetUse): void {
    this.#count.add(use);
  }

  result(): RotationCost {
    const { waiting, left, places } = this.#count.result();
    const costs = places.map(({ subscription, region, waiting: moves, left }) => ({
      subscription,
      region,
      moves,
      left,
      seconds: Math.ceil(secondsFor(moves, this.#budgets)),
    }));
    return { moves: waiting, left, seconds: Math.max(0, ...costs.map(({ seconds }) => seconds)), places: costs };
  }
}

/** A rotation onto a version that would be made now: nobody is on it yet. */
function nextGoal(versions: readonly KeyVersion[], now: Date): Omit<RotationGoal, 'refreshAutomatic' | 'now'> {
  const newestMs = Math.max(now.getTime(), ...versions.map(({ createdOn }) => createdOn.getTime() + 1));
  const createdOn = new Date(newestMs);
  const target: KeyVersion = {
    id: '',
    version: 'next',
    enabled: true,
    createdOn,
    updatedOn: undefined,
    notBefore: undefined,
    expiresOn: undefined,
    tags: {},
    latest: true,
  };
  return { versions: [...versions, target], target, startedOn: createdOn };
}
