import type { World } from './explore.ts';
import { forgedKeyMessage } from './forged-key-message.ts';
import { type KeyScenario, KeyWorld, type Part } from './key-world.ts';

type Random = () => number;

const one = <T>(random: Random, of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;

/** Anything at any time: what happens to one key, and in which order, depends on the seed alone. */
export function randomKeyWorld(random: Random): () => World {
  const skew = () => one(random, [0, 0, 2.5, -2.5]);
  const versions = one(random, [1, 1, 2, 3]);
  const after = () => one(random, [{}, { after: 'revoke' as const }]);
  const parts: Part[] = [{ do: 'revoke', skew: skew() }];
  const more = 1 + Math.floor(random() * 5);
  for (let n = 0; n < more; n += 1) {
    const version = 1 + Math.floor(random() * versions);
    parts.push(
      one<Part>(random, [
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

  const scenario: KeyScenario = {
    versions,
    off: random() < 0.2 ? [1] : [],
    parts,
    faults: one(random, [0, 1, 1, 2]),
    aim: one(random, [/./, /patch/, /enabled.:false/, /enabled.:true/, /restored/]),
    kills: one(random, [0, 0, 1]),
  };

  return () => new KeyWorld(scenario);
}

/** A writer of the queue beside people who revoke and restore. */
export function randomForgedMessageWorld(random: Random): () => World {
  const forged = (): Part => ({
    do: 'forged',
    message: JSON.stringify(forgedKeyMessage((of) => one(random, of))),
    ...one(random, [{}, { after: 'revoke' }, { during: 'restore' }, { after: 'restore' }] as const),
  });

  const calls = one<readonly Part[]>(random, [
    [],
    [{ do: 'revoke' }],
    [{ do: 'revoke' }],
    [{ do: 'revoke' }, { do: 'restore', after: 'revoke' }],
    [{ do: 'revoke' }, { do: 'restore', after: 'revoke' }, { do: 'revoke', after: 'restore' }],
  ]);

  const scenario: KeyScenario = {
    versions: one(random, [1, 2, 3]),
    off: random() < 0.3 ? [1] : [],
    parts: [...calls, ...Array.from({ length: one(random, [1, 2, 3]) }, forged)],
    ...one(random, [{}, {}, { kills: 1 }, { faults: 1, aim: /patch/ }]),
  };

  return () => new KeyWorld(scenario);
}

/** A key is revoked again while it is being restored, mostly on clocks that differ. */
export function randomOverlapWorld(random: Random): () => World {
  const skew = () => one(random, [0, 2.5, -2.5]);
  const more = one<readonly Part[]>(random, [
    [],
    [{ do: 'revoke', skew: skew(), during: 'revoke' }],
    [{ do: 'restore', skew: skew(), after: 'revoke' }],
    [{ do: 'look', skew: skew(), late: true, during: 'restore' }],
  ]);

  const scenario: KeyScenario = {
    versions: one(random, [1, 2, 3]),
    parts: [
      { do: 'revoke', skew: skew() },
      { do: 'restore', skew: skew(), after: 'revoke' },
      { do: 'revoke', skew: skew(), during: 'restore' },
      ...more,
    ],
    faults: one(random, [0, 0, 1]),
    aim: one(random, [/patch/, /enabled.:true/, /restored/]),
    kills: one(random, [0, 0, 0, 1]),
  };

  return () => new KeyWorld(scenario);
}

/** A person's hand beside one revocation: what it finds can be judged to the version. */
export function randomByHandWorld(random: Random): () => World {
  const versions = one(random, [1, 2, 3]);
  const when = one(random, [{}, { during: 'revoke' as const }, { during: 'revoke' as const }]);
  const byHand: Part = { do: 'disable', version: 1 + Math.floor(random() * versions), ...when };
  const parts: Part[] = [{ do: 'revoke' }, byHand, { do: 'restore', after: 'revoke' }];
  return () => new KeyWorld({ versions, parts });
}

/** After a revocation another tool replaces the tags of the newest version, and enables it or does not. */
export function randomRewriteWorld(random: Random): () => World {
  const versions = one(random, [1, 1, 2, 3]);

  const more = one<readonly Part[]>(random, [
    [],
    [{ do: 'look', late: true, after: 'revoke' }],
    [{ do: 'rotate', after: 'revoke' }],
    [{ do: 'restore', after: 'rewrite' }],
  ]);

  const rewrite: Part = { do: 'rewrite', version: versions, tagsOnly: random() < 0.5, after: 'revoke' };
  const parts: Part[] = [{ do: 'revoke' }, rewrite, ...more];

  return () => new KeyWorld({ versions, parts });
}

/** An aborted write takes effect after the key was restored, or revoked again; or the queue hangs. */
export function randomLateWorld(random: Random): () => World {
  const look: Part = { do: 'look', late: random() < 0.5, after: 'revoke' };
  const scenario = one<KeyScenario>(random, [
    {
      versions: one(random, [1, 1, 2]),
      parts: [{ do: 'revoke' }, { do: 'restore', after: 'revoke' }],
      aim: /enabled.:false/,
    },
    {
      versions: one(random, [1, 2]),
      parts: [{ do: 'revoke' }, { do: 'restore', after: 'revoke' }, { do: 'revoke', during: 'restore' }],
      aim: /enabled.:true/,
      kills: one(random, [0, 1]),
    },
    // The app's queue is unreachable: only the key shows what a late write did, as long as another version has a
    // tombstone.
    {
      versions: one(random, [2, 3]),
      parts: [{ do: 'revoke' }, { do: 'restore', after: 'revoke' }, ...(random() < 0.5 ? [look] : [])],
      aim: /enabled.:false/,
      noQueue: true,
    },
    {
      versions: one(random, [1, 2, 3]),
      parts: [{ do: 'revoke' }, { do: 'restore', after: 'revoke' }],
      faults: 0,
      hangingQueue: true,
    },
  ]);

  return () => new KeyWorld({ faults: 1, kinds: ['late'], ...scenario });
}
