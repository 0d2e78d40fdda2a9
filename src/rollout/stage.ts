import type { FleetUse } from '../fleet/fleet-index.ts';
import { accountRow } from '../fleet/fleet-keys.ts';
import type { UseState } from './judge-use.ts';

/** Of a wave so many uses may fail before the next one begins: one in ten, and one at least. */
const FAILED_SHARE = 0.1;
/** The largest number that a wave may have; anything else in the tag counts as no tag. */
const LAST_WAVE = 1_000;

/** How far a rotation may go: its canaries, then one wave after the other; what has no wave comes last. */
export interface RotationStage {
  /** `rest`: everything may move. */
  readonly name: 'canary' | `wave ${number}` | 'rest';
  /** Uses of the stage by their state. */
  readonly counts: Readonly<Record<UseState, number>>;
  /** `failed`: it does not go on by itself until they move. `unproven`: they are moved, and are to be seen to serve. */
  readonly state: 'underWay' | 'failed' | 'unproven';
  /** Canaries that were last seen not to serve, in words: nothing goes on until they do. */
  readonly unwell?: string;
  /** ARM ids of the canaries, if it is their stage. */
  readonly canaries: readonly string[];
  admits(account: string): boolean;
}

export interface StageRules {
  /** Accounts that go first; 0: none. */
  readonly canaries: number;
  /** Whether their file services were found to serve with the version. */
  readonly proven: boolean;
  /** Those that were found not to, in words. */
  readonly unwell?: string | undefined;
  /** An operator has ordered the rotation to go on whatever holds it. */
  readonly orderedOn: boolean;
}

interface StagedAccount {
  readonly row: string;
  readonly account: string;
  readonly wave: number;
  readonly isAutomatic: boolean;
  readonly states: Record<UseState, number>;
}

/** Finds out which stage a rotation is in, from its uses; scopes come behind their account, though not always right behind. */
export class StageCount {
  readonly #rules: StageRules;
  /** Of accounts without a wave only those that may be canaries are kept. */
  readonly #waves = new Map<string, number>();
  readonly #counts = new Map<number, Record<UseState, number>>();
  #first: StagedAccount[] = [];
  #last: StagedAccount | undefined;

  constructor(rules: StageRules) {
    this.#rules = rules;
  }

  add(use: FleetUse, state: UseState): void {
    const row = accountRow(use.account);
    const account = this.#known(row) ?? this.#begin(row, use);
    account.states[state] += 1;
    const counts = this.#counts.get(account.wave) ?? noStates();
    this.#counts.set(account.wave, counts);
    counts[state] += 1;
  }

  result(): RotationStage {
    const { canaries, proven, unwell, orderedOn } = this.#rules;
    const all = [...this.#counts.values()].reduce(sum, noStates());
    if (orderedOn || all.waiting + all.failed === 0) return REST;
    const first = this.#first.sort(byTurn).slice(0, canaries);
    if (first.length > 0) {
      const counts = first.map(({ states }) => states).reduce(sum, noStates());
      const rows = new Set(first.map(({ row }) => row));
      const ids = first.map(({ account }) => account);
      const stage = {
        name: 'canary',
        counts,
        canaries: ids,
        admits: (id: string) => rows.has(accountRow(id)),
      } as const;
      if (counts.failed > 0) return { ...stage, state: 'failed' };
      if (counts.waiting > 0) return { ...stage, state: 'underWay' };
      if (!proven && counts.moved > 0) return { ...stage, state: 'unproven', ...(unwell ? { unwell } : {}) };
    }
    const waves = [...this.#counts].filter(([wave]) => wave <= LAST_WAVE).sort(([a], [b]) => a - b);
    for (const [wave, counts] of waves) {
      const allowed = Math.max(1, Math.floor(totalOf(counts) * FAILED_SHARE));
      if (counts.waiting === 0 && counts.failed <= allowed) continue;
      const state = counts.failed > allowed ? 'failed' : 'underWay';
      const admits = (id: string): boolean => (this.#waves.get(accountRow(id)) ?? LAST_WAVE + 1) <= wave;
      return { name: `wave ${wave}`, counts, state, canaries: [], admits };
    }
    return REST;
  }

  #known(row: string): StagedAccount | undefined {
    return this.#last?.row === row ? this.#last : this.#first.find((one) => one.row === row);
  }

  #begin(row: string, { account, wave: tag, mode }: FleetUse): StagedAccount {
    const wave = waveOf(tag);
    if (wave <= LAST_WAVE) this.#waves.set(row, wave);
    const staged = { row, account, wave, isAutomatic: mode === 'automatic', states: noStates() };
    this.#last = staged;
    if (this.#rules.canaries > 0) this.#first.push(staged);
    // Twice as many as are needed, so that it is not put into order each time.
    if (this.#first.length > 2 * this.#rules.canaries) {
      this.#first = this.#first.sort(byTurn).slice(0, this.#rules.canaries);
    }
    return staged;
  }
}

const REST: RotationStage = { name: 'rest', counts: noStates(), state: 'underWay', canaries: [], admits: () => true };

/** The number of a wave; what has none is behind all that have. */
export function waveOf(tag: string | undefined): number {
  const wave = tag !== undefined && /^\d{1,4}$/.test(tag.trim()) ? Number(tag) : LAST_WAVE + 1;
  return Math.min(wave, LAST_WAVE + 1);
}

/** By wave; the pinned ones first, as those show at once that Azure took the version; then in a stable order. */
function byTurn(a: StagedAccount, b: StagedAccount): number {
  return a.wave - b.wave || Number(a.isAutomatic) - Number(b.isAutomatic) || (a.row < b.row ? -1 : 1);
}

function noStates(): Record<UseState, number> {
  return { moved: 0, waiting: 0, failed: 0, left: 0 };
}

function sum(a: Record<UseState, number>, b: Record<UseState, number>): Record<UseState, number> {
  return {
    moved: a.moved + b.moved,
    waiting: a.waiting + b.waiting,
    failed: a.failed + b.failed,
    left: a.left + b.left,
  };
}

function totalOf({ moved, waiting, failed, left }: Record<UseState, number>): number {
  return moved + waiting + failed + left;
}
