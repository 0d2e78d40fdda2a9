import { describe, expect, it } from 'vitest';
import type { Keys, KeyVersionChange } from '../../src/keys/key-client.ts';
import { REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { exploreAll } from './explore.ts';
import { type KeyScenario, KeyWorld, type Part } from './key-world.ts';

const REVOKE: Part = { do: 'revoke' };
const RESTORE: Part = { do: 'restore', after: 'revoke' };
const LOOK: Part = { do: 'look', late: true };

const SMALL: readonly (readonly [string, KeyScenario])[] = [
  ['a revocation of three versions', { versions: 3, parts: [REVOKE] }],
  ['two revocations', { versions: 1, parts: [REVOKE, REVOKE] }],
  ['a revocation, its restore and a look', { versions: 1, parts: [REVOKE, RESTORE, LOOK] }],
  ['a restore of two versions', { versions: 2, parts: [REVOKE, RESTORE] }],
  ['two restores', { versions: 1, parts: [REVOKE, RESTORE, RESTORE] }],
  ['a version that a person disables', { versions: 2, parts: [REVOKE, { do: 'disable', version: 1 }, RESTORE] }],
  ['a process that is killed', { versions: 2, kills: 1, parts: [REVOKE, RESTORE] }],
  ['a write that comes late', { versions: 1, faults: 1, kinds: ['late'], parts: [REVOKE, RESTORE, LOOK] }],
  ['a restore and a newer revocation', { versions: 1, parts: [REVOKE, RESTORE, { ...REVOKE, after: 'revoke' }] }],
];

/** Writes something else than the app asks for. */
function writing(change: (asked: KeyVersionChange) => KeyVersionChange): (keys: Keys) => Keys {
  return (keys) => ({
    ...keys,
    updateVersion: (key, version, asked) => keys.updateVersion(key, version, change(asked)),
  });
}

function without(tag: string): (keys: Keys) => Keys {
  return writing(({ tags, ...asked }) => {
    if (!tags) return asked;
    const { [tag]: _, ...others } = tags;
    return { ...asked, tags: others };
  });
}

/** Each takes from the app what it relies on. */
const BROKEN: readonly (readonly [string, (keys: Keys) => Keys])[] = [
  ['no record is written', without(REVOCATION_TAG)],
  [
    'no list has the first version',
    (keys) => ({
      ...keys,
      listVersions: async (key) => (await keys.listVersions(key)).slice(1),
      listVersionsUnsettled: async (key) => (await keys.listVersionsUnsettled(key)).slice(1),
      versionPages: async function* (key) {
        yield (await keys.listVersionsUnsettled(key)).slice(1);
      },
    }),
  ],
  [
    'a version is on, by what is read right before its tags are replaced',
    (keys) => ({
      ...keys,
      getVersion: async (key, version) => {
        const found = await keys.getVersion(key, version);
        return found && { ...found, enabled: true };
      },
    }),
  ],
];

async function outcomes(scenario: KeyScenario): Promise<{ states: number; all: string[]; broken: string[] }> {
  const { states, outcomes: found } = await exploreAll(() => new KeyWorld(scenario), { collect: true });
  const all = [...found].sort();
  return { states, all, broken: all.filter((outcome) => !outcome.startsWith('\n')) };
}

describe('leaving out what differs in its past alone', () => {
  it.each(SMALL)('leaves out no end of %s', { timeout: 120_000 }, async (_, scenario) => {
    const [full, reduced] = [await outcomes({ ...scenario, unreduced: true }), await outcomes(scenario)];
    expect(reduced.all).toEqual(full.all);
    expect(full.broken).toEqual([]);
    expect(reduced.states).toBeLessThanOrEqual(full.states);
  });

  it.each(BROKEN)('leaves out no history that errs when %s', { timeout: 120_000 }, async (_, breaks) => {
    let broken = 0;
    for (const [, scenario] of SMALL.slice(0, -3)) {
      const [full, reduced] = [
        await outcomes({ ...scenario, breaks, unreduced: true }),
        await outcomes({ ...scenario, breaks }),
      ];
      expect(reduced.all).toEqual(full.all);
      broken += full.broken.length;
    }
    expect(broken).toBeGreaterThan(0);
  });
});

describe('histories with few switches', () => {
  it('are some of all, and all of them with switches enough', async () => {
    const scenario: KeyScenario = { versions: 1, parts: [REVOKE, RESTORE, LOOK] };
    const all = await outcomes(scenario);
    const few = await exploreAll(() => new KeyWorld(scenario), { collect: true, switches: 1 });
    const many = await exploreAll(() => new KeyWorld(scenario), { collect: true, switches: 100 });
    expect(all.all).toEqual(expect.arrayContaining([...few.outcomes]));
    expect([...many.outcomes].sort()).toEqual(all.all);
  });
});
