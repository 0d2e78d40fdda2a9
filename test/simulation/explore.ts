import { hash } from 'node:crypto';
import type { Scheduler, Transition } from './scheduler.ts';
import type { VirtualTimers } from './virtual-timers.ts';

/** One history in the making: what can happen next, until it is at rest. */
export interface World {
  readonly scheduler: Scheduler;
  /** A longer history never ends; by default {@link MOST_STEPS}. */
  readonly mostSteps?: number;
  /** The timers of the product's own code; without it they are those of the machine. */
  readonly timers?: VirtualTimers;
  /** Runs between two steps, and ends what time alone ends. */
  tick?(): void;
  /** The possible next steps beside the pending calls. */
  transitions(): readonly Transition[];
  /** Runs after every step; throws when an invariant is broken. */
  check(): void;
  /** Runs when no step is left; throws when an invariant is broken. */
  atRest(): Promise<void>;
}

/** A world whose histories can all be explored. */
export interface FiniteWorld extends World {
  /** The state that decides the continuations: of two histories with the same one, only one needs to be explored. */
  fingerprint(): string;
}

export interface ExploreOptions {
  /**
   * Maximum number of switches from an actor that could continue to another one. (Most errors need few switches:
   * "Iterative context bounding for systematic testing of multithreaded programs".) Without it: all histories.
   */
  readonly switches?: number;
}

export interface Explored {
  readonly states: number;
  readonly ends: number;
}

/**
 * A longer history counts as endless. (Each read and write of the index, and of the re-keys, is a step too: five rotations
 * under a pause, with every event twice, end after 5,956 steps.)
 */
const MOST_STEPS = 12_000;
/** Maximum number of attempts to shorten a broken history. */
const MOST_TRIES = 1_000;

/** Chooses the next transition; undefined ends the history there, without the final check. */
export type Choose = (transitions: readonly Transition[]) => number | undefined;

/** A history that broke an invariant, step by step. */
export class BrokenHistory extends Error {
  readonly choices: readonly number[];

  constructor(choices: readonly number[], history: readonly string[], cause: unknown) {
    const steps = history.map((step, n) => `  ${n + 1}. ${step}`);
    super(`${cause instanceof Error ? cause.message : String(cause)}\n${steps.join('\n')}`, { cause });
    this.name = 'BrokenHistory';
    this.choices = choices;
  }
}

/**
 * Runs one history.
 *
 * @returns the choices that were made
 * @throws {@link BrokenHistory}
 */
export async function runHistory(world: World, choose: Choose): Promise<readonly number[]> {
  const choices: number[] = [];
  const { scheduler, mostSteps = MOST_STEPS } = world;
  const uninstall = world.timers?.install();
  try {
    for (;;) {
      world.tick?.();
      await scheduler.settle();
      world.check();

      const all = [...world.transitions(), ...scheduler.transitions()];
      const others = all.filter(({ isSlow }) => !isSlow);
      const transitions = others.some(({ rare }) => rare === undefined) ? others : all;
      if (transitions.length === 0) break;
      if (choices.length >= mostSteps) throw new Error(`It does not come to rest within ${mostSteps} steps.`);

      const choice = choose(transitions);
      if (choice === undefined) return choices;

      const chosen = transitions[choice % transitions.length] as Transition;

      choices.push(choice % transitions.length);
      scheduler.history.push(chosen.label);
      chosen.run();
    }

    await world.atRest();
  } catch (error) {
    throw new BrokenHistory(choices, scheduler.history, error);
  } finally {
    uninstall?.();
  }

  return choices;
}

/**
 * Follows every history there is, and none twice from the same state on.
 *
 * @returns how many states there were, and how many ends
 * @throws {@link BrokenHistory}
 */
export async function exploreAll(make: () => FiniteWorld, options: ExploreOptions = {}): Promise<Explored> {
  /** How many switches were left there. */
  const visited = new Map<string, number>();
  const open: (readonly number[])[] = [[]];
  let ends = 0;
  for (let prefix = open.pop(); prefix; prefix = open.pop()) {
    const start = prefix;
    const world = make();
    const path: number[] = [];
    const turns = new Turns(options.switches);
    let isKnown = false;
    const run = runHistory(world, (transitions) => {
      const planned = start[path.length];
      const possible = planned === undefined ? turns.possible(transitions) : [planned];

      if (planned === undefined) {
        const state = hash('md5', world.fingerprint() + turns.whose(transitions), 'base64');
        isKnown = (visited.get(state) ?? -1) >= turns.left;
        if (isKnown) return undefined;

        visited.set(state, turns.left);
        for (const other of possible.slice(1).reverse()) open.push([...path, other]);
      }

      const choice = possible[0] ?? 0;

      turns.take(transitions, choice);
      path.push(choice);

      return choice;
    });

    await run;

    if (isKnown) continue;

    ends += 1;
  }

  return { states: visited.size, ends };
}

/** The current actor, and how many switches from an actor that could continue are left. */
class Turns {
  readonly #isBounded: boolean;
  left: number;
  #current: string | undefined;

  constructor(switches: number | undefined) {
    this.#isBounded = switches !== undefined;
    this.left = switches ?? 0;
  }

  /** Indices of the transitions that may come next. */
  possible(transitions: readonly Transition[]): number[] {
    return transitions.flatMap((_, index) => (this.#cost(transitions, index) <= this.left ? [index] : []));
  }

  /** The actors that could continue, where that matters. */
  whose(transitions: readonly Transition[]): string {
    return (this.#isBounded && this.#goesOn(transitions) && this.#current) || '';
  }

  take(transitions: readonly Transition[], choice: number): void {
    this.left -= this.#cost(transitions, choice);
    const chosen = transitions[choice];
    this.#current = (chosen && nameOf(chosen)) ?? this.#current;
  }

  #cost(transitions: readonly Transition[], index: number): number {
    const transition = transitions[index];
    const name = transition && nameOf(transition);
    return this.#isBounded && name !== undefined && name !== this.#current && this.#goesOn(transitions) ? 1 : 0;
  }

  #goesOn(transitions: readonly Transition[]): boolean {
    return transitions.some(({ actor }) => actor !== undefined && actor.name === this.#current);
  }
}

function nameOf({ actor, begins }: Transition): string | undefined {
  return actor?.name ?? begins;
}

/** Makes the shortest history that it can out of one that is broken: later choices go, and what is left gets simpler. */
export async function shrink(make: () => World, broken: BrokenHistory): Promise<BrokenHistory> {
  let best = broken;
  let tries = 0;
  const again = async (choices: readonly number[]): Promise<boolean> => {
    tries += 1;
    if (tries > MOST_TRIES) return false;

    const left = choices.values();

    try {
      await runHistory(make(), () => left.next().value ?? 0);
      return false;
    } catch (error) {
      if (!(error instanceof BrokenHistory) || error.choices.length > best.choices.length) return false;
      if (error.choices.length === best.choices.length && sum(error.choices) >= sum(best.choices)) return false;

      best = error;

      return true;
    }
  };

  for (let better = true; better; ) {
    better = false;
    for (let size = best.choices.length; size >= 1; size = Math.floor(size / 2)) {
      for (let at = 0; at + size <= best.choices.length; at += size) {
        const { choices } = best;
        if (await again([...choices.slice(0, at), ...choices.slice(at + size)])) better = true;
      }
    }

    for (let at = 0; at < best.choices.length; at += 1) {
      const { choices } = best;
      if ((choices[at] ?? 0) > 0 && (await again([...choices.slice(0, at), 0, ...choices.slice(at + 1)]))) {
        better = true;
      }
    }
  }

  return best;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
