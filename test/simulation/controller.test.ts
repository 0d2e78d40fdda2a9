import { describe, it } from 'vitest';
import { randomly } from './choose.ts';
import { ControllerWorld, FIRST_KEY, SECOND_KEY } from './controller-world.ts';
import { runHistory, seeded } from './explore.ts';
import { aimedControllerWorld, aimedDeeds } from './random-controller.ts';

/** Of each kind; `npm run simulate` runs many more. */
const HISTORIES = 12;

describe('The controller keeps its invariants when', () => {
  it.each(Object.keys(aimedDeeds('files-key')))('%s', async (name) => {
    for (let seed = 1; seed <= HISTORIES; seed += 1) {
      const random = seeded(seed);
      const make = aimedControllerWorld(random, (key) => aimedDeeds(key)[name] ?? []);
      await runHistory(make(), randomly(random));
    }
  });

  it('the target key of an order has a new version before the index has a use of it', async () => {
    const subscription = '11111111-1111-4111-8111-1111111111a1';
    const spec = { subscription, region: 'westeurope', mode: 'pinned', key: FIRST_KEY } as const;
    const uses = ['1', '2', '2', '2'].map((wave) => ({ ...spec, wave }));
    const version = { do: 'newVersion', key: SECOND_KEY, during: /^patch/ } as const;
    const undisturbed = { faults: 0, kills: 0, losses: 0, stalls: 0, stampSkewMs: 0 };
    for (let seed = 1; seed <= HISTORIES; seed += 1) {
      const world = new ControllerWorld({
        uses,
        deeds: [{ do: 'wait' }, { do: 'rekey', from: FIRST_KEY, to: SECOND_KEY }, version],
        ...{ instances: 1, canaries: 1, ...undisturbed },
      });
      await runHistory(world, randomly(seeded(seed)));
    }
  });

  it('a worker is killed while it moves a use that the index lacks', async () => {
    const subscription = '11111111-1111-4111-8111-1111111111a1';
    const spec = { subscription, region: 'westeurope', mode: 'pinned', key: FIRST_KEY } as const;
    for (const during of [/^patch st2 /, /^patch st2.scope/]) {
      for (let seed = 1; seed <= HISTORIES; seed += 1) {
        const world = new ControllerWorld({
          uses: [spec],
          deeds: [
            { do: 'wait' },
            { do: 'createAccount', spec: { ...spec, scoped: true } },
            { do: 'newVersion', key: FIRST_KEY },
            { do: 'kill', during },
          ],
          ...{ instances: 1, canaries: 0, faults: 0, kills: 0, losses: 0, stalls: 0, stampSkewMs: 0 },
        });
        await runHistory(world, randomly(seeded(seed)));
      }
    }
  });

  it('a move to another key cannot be recorded, and its order ends', async () => {
    const subscription = '11111111-1111-4111-8111-1111111111a1';
    const spec = { subscription, region: 'westeurope', mode: 'pinned', key: FIRST_KEY } as const;
    for (let seed = 1; seed <= HISTORIES; seed += 1) {
      const world = new ControllerWorld({
        uses: [spec],
        deeds: [
          { do: 'wait' },
          { do: 'rekey', from: FIRST_KEY, to: SECOND_KEY },
          { do: 'endRekey', during: /^index writes/ },
        ],
        ...{ instances: 1, canaries: 0, kills: 0, losses: 0, stalls: 0, stampSkewMs: 0 },
        ...{ faults: 1, kinds: ['fails'], aim: /^audit st/ },
      });
      await runHistory(world, randomly(seeded(seed)));
    }
  });
});
