import { hash } from 'node:crypto';
import { Actor, type Choose, Scheduler, type Transition } from './scheduler.ts';

/** One history in the making: what can happen next, until it is at rest. */
export interface World {
  readonly scheduler: Scheduler;
  /** What may happen beside the calls that are under way. */
  transitions(): readonly Transition[];
  /** What decides how this can go on: two histories with the same one need not both be followed. */
  fingerprint(): string;
  /** Looked at after every step; throws when something does not hold. */
  check(): void;
  /** Looked at when nothing more can happen; throws when something does not hold. */
  atRest(): Promise<void>;
}

export class BrokenHistory extends Error {
  readonly choices: readonly number[];
  readonly history: readonly string[];
  constructor(choices: readonly number[], history: readonly string[], cause: unknown) {
    super(`${(cause as Error).message}\n${history.map((step, n) => `  ${n + 1}. ${step}`).join('\n')}`, { cause });
    this.name = 'BrokenHistory';
    this.choices = choices;
    this.history = history;
  }
}

/** Runs one history. @throws {@link BrokenHistory} */
export async function runHistory(world: World, choose: Choose): Promise<readonly number[]> {
  const choices: number[] = [];
  try {
    for (;;) {
      await world.scheduler.settle();
      world.check();
      const transitions = [...world.transitions(), ...world.scheduler.transitions()];
      if (transitions.length === 0) break;
      const choice = choose(transitions);
      if (choice < 0) return choices;
      const chosen = transitions[choice % transitions.length] as Transition;
      choices.push(choice % transitions.length);
      world.scheduler.history.push(chosen.label);
      chosen.run();
    }
    await world.atRest();
  } catch (error) {
    throw new BrokenHistory(choices, world.scheduler.history, error);
  }
  return choices;
}

/**
 * Follows every history there is, and none twice from the same state on.
 *
 * @returns how many states there were, and how many ends
 * @throws {@link BrokenHistory}
 */
export async function exploreAll(make: () => World, most = 2_000_000): Promise<{ states: number; ends: number }> {
  const visited = new Set<string>();
  const open: number[][] = [[]];
  let ends = 0;
  for (let prefix = open.pop(); prefix; prefix = open.pop()) {
    const start = prefix;
    let step = 0;
    const world = make();
    let stopped = false;
    const choices = await runHistory(world, (transitions) => {
      const planned = start[step];
      step += 1;
      if (planned !== undefined) return planned;
      const state = hash('md5', world.fingerprint(), 'base64');
      if (visited.has(state)) {
        stopped = true;
        return -1;
      }
      visited.add(state);
      if (visited.size > most) throw new Error(`More than ${most} states.`);
      const taken = world.scheduler.history.length;
      const path = pathOf(taken);
      for (let other = transitions.length - 1; other > 0; other -= 1) open.push([...path, other]);
      trail[taken] = 0;
      return 0;
    });
    trail.length = 0;
    if (!stopped) ends += 1;
    void choices;

    function pathOf(length: number): number[] {
      return Array.from({ length }, (_, index) => start[index] ?? trail[index] ?? 0);
    }
  }
  return { states: visited.size, ends };
}

const trail: number[] = [];

/** A choice that depends on the seed alone (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export { Actor, Scheduler };
