import type { Choose } from './explore.ts';
import type { Actor, Transition } from './scheduler.ts';

/**
 * Chooses the order of the history of a seed. If all steps were equally likely, no call would be slow for long, and people
 * would act only at the start. The kinds below cause the overlaps that would be rare.
 */
export function randomly(random: () => number): Choose {
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;

  /** How often a possible fault happens, and how often a late write takes effect. */
  const harm = one([0.6, 0.4, 0.4, 0.1]);
  const late = one([0, 0, 0.015, 0.1]);

  /** How often people and callers act, relative to each pending call; 1: equally often. */
  const hurry = one([1, 1, 1, 0.1]);

  /** How many times an actor is slow: it makes no step during some steps of the others. */
  let stalls = one([0, 1, 2, 4]);
  const slow = new Map<Actor, number>();
  let harmed = false;

  return (transitions) => {
    for (const [actor, steps] of slow) {
      if (steps > 0) slow.set(actor, steps - 1);
      else slow.delete(actor);
    }

    const roll = random();
    const harmless = roll < harm + late ? 'late' : undefined;
    const kind = roll < harm ? 'harm' : harmless;
    const indices = transitions.map((_, index) => index);
    const of = (wanted: (transition: Transition) => boolean) =>
      indices.filter((index) => wanted(transitions[index] as Transition));
    const calls = of(({ rare, actor }) => rare === undefined && actor !== undefined && !slow.has(actor));
    const comers = of(({ rare, actor }) => rare === undefined && actor === undefined);
    const usual = of(({ rare }) => rare === undefined);

    // An actor that comes in right after a fault meets work half done.
    const comesIn = harmed ? random() < 0.5 : random() < hurry;
    const frequent = comesIn ? comers : calls;
    const from = [
      kind ? of(({ rare }) => rare === kind) : [],
      hurry === 1 && !harmed ? [...comers, ...calls] : frequent,
      [...comers, ...calls],
      usual,
      indices,
    ].find(({ length }) => length > 0);

    const choice = one(from ?? indices);
    const chosen = transitions[choice];

    harmed = chosen?.rare === 'harm';

    if (stalls > 0 && chosen?.actor && random() < 0.1) {
      stalls -= 1;
      slow.set(chosen.actor, one([10, 30, 100]));
    }

    return choice;
  };
}
