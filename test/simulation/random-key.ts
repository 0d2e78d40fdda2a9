import type { World } from './explore.ts';
import { type KeyScenario, KeyWorld, type Part } from './key-world.ts';

/** A history of one key that depends on the seed alone: what happens, and in which order. */
export function randomKeyWorld(random: () => number): () => World {
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const skew = () => one([0, 0, 2.5, -2.5]);
  const versions = one([1, 1, 2, 3]);
  const after = () => one([{}, { after: 'revoke' as const }]);
  const parts: Part[] = [{ do: 'revoke', skew: skew() }];
  const more = 1 + Math.floor(random() * 5);
  for (let n = 0; n < more; n += 1) {
    const version = 1 + Math.floor(random() * versions);
    parts.push(
      one<Part>([
        { do: 'revoke', skew: skew(), ...after() },
        { do: 'restore', skew: skew(), after: 'revoke' },
        { do: 'restore', skew: skew(), after: 'revoke' },
        { do: 'look', skew: skew(), ...after() },
        { do: 'look', late: true, skew: skew(), after: 'revoke' },
        { do: 'rotate', ...after() },
        { do: 'disable', version, ...after() },
      ]),
    );
  }
  if (random() < 0.25) {
    // A person's hand beside one revocation: what it finds can be judged to the version.
    const byHand: Part = { do: 'disable', version: 1 + Math.floor(random() * versions) };
    return () => new KeyWorld({ versions, parts: [{ do: 'revoke' }, byHand, { do: 'restore', after: 'revoke' }] });
  }
  const scenario: KeyScenario = {
    versions,
    off: random() < 0.2 ? [1] : [],
    parts,
    faults: one([0, 1, 1, 2]),
    aim: one([/./, /patch/, /enabled.:false/, /restored/]),
    kills: one([0, 0, 1]),
  };
  return () => new KeyWorld(scenario);
}

/**
 * The app's queue is out of reach: what a late write does is told by the key alone, as long as another version says that
 * the key was restored.
 */
export function randomQueuelessWorld(random: () => number): () => World {
  const look: Part = { do: 'look', late: random() < 0.5, after: 'revoke' };
  const scenario: KeyScenario = {
    versions: random() < 0.5 ? 2 : 3,
    parts: [{ do: 'revoke' }, { do: 'restore', after: 'revoke' }, ...(random() < 0.5 ? [look] : [])],
    faults: 1,
    kinds: ['late'],
    aim: /"enabled":false/,
    noQueue: true,
  };
  return () => new KeyWorld(scenario);
}
