import { hash } from 'node:crypto';
import type { Scheduler, Transition } from './scheduler.ts';
import type { VirtualTimers } from './virtual-timers.ts';

/** One history in the making: what can happen next, until it is at rest. */
export interface World {
  readonly scheduler: Scheduler;
  /** The timers of the product's own code; without it they are those of the machine. */
  readonly timers?: VirtualTimers;
  /** Between two steps: what comes to its end by itself when time passes. */
  tick?(): void;
  /** What may happen beside the calls that are under way. */
  transitions(): readonly Transition[];
  /** Looked at after every step; throws when something does not hold. */
  check(): void;
  /** Looked at when nothing more can happen; throws when something does not hold. */
  atRest(): Promise<void>;
}

/** Of it, all histories can be followed. */
export interface FiniteWorld extends World {
  /** What decides how this can go on: two histories with the same one need not both be followed. */
  fingerprint(): string;
}

/** A history that takes longer never ends. (Each read and write of the fleet index is a step too.) */
const MOST_STEPS = 4_000;
/** Tries to make a broken history shorter. */
const MOST_TRIES = 1_000;

/** Decides which of the transitions comes next; undefined ends the history there, unjudged. */
export type Choose = (transitions: readonly Transition[]) => number | undefined;

/** A history in which something did not hold, step by step. */
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
  const { scheduler } = world;
  const uninstall = world.timers?.install();
  try {
    for (;;) {
      world.tick?.();
      await scheduler.settle();
      world.check();
      const transitions = [...world.transitions(), ...scheduler.transitions()];
      if (transitions.length === 0) break;
      if (choices.length >= MOST_STEPS) throw new Error(`It does not come to rest within ${MOST_STEPS} steps.`);
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
export async function exploreAll(make: () => FiniteWorld): Promise<{ states: number; ends: number }> {
  const visited = new Set<string>();
  const open: (readonly number[])[] = [[]];
  let ends = 0;
  for (let prefix = open.pop(); prefix; prefix = open.pop()) {
    const start = prefix;
    const world = make();
    const path: number[] = [];
    let isKnown = false;
    await runHistory(world, (transitions) => {
      const planned = start[path.length];
      if (planned === undefined) {
        const state = hash('md5', world.fingerprint(), 'base64');
        isKnown = visited.has(state);
        if (isKnown) return undefined;
        visited.add(state);
        for (let other = transitions.length - 1; other > 0; other -= 1) open.push([...path, other]);
      }
      path.push(planned ?? 0);
      return planned ?? 0;
    });
    if (!isKnown) ends += 1;
  }
  return { states: visited.size, ends };
}

/** Makes the shortest history that it can out of one that is broken: later choices go, and what is left gets simpler. */
export async function shrink(make: () => World, broken: BrokenHistory): Promise<BrokenHistory> {
  let best = broken;
  let tries = 0;
  const again = async (choices: readonly number[]): Promise<boolean> => {
    let step = 0;
    tries += 1;
    if (tries > MOST_TRIES) return false;
    try {
      await runHistory(make(), () => choices[step++] ?? 0);
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
      if ((choices[at] ?? 0) > 0 && (await again([...choices.slice(0, at), 0, ...choices.slice(at + 1)])))
        better = true;
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
