import { type AppScenario, AppWorld, type Deed } from './app-world.ts';
import type { World } from './explore.ts';

/** A history of the app, its instances, queues and accounts, that depends on the seed alone. */
export function randomAppWorld(random: () => number): () => World {
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const account = () => Math.floor(random() * 3);
  const deeds: Deed[] = [{ do: 'rotate', events: one([1, 1, 2]) }];
  const more = Math.floor(random() * 6);
  for (let n = 0; n < more; n += 1) {
    deeds.push(
      one<Deed>([
        { do: 'rotate', events: one([0, 1, 2]) },
        { do: 'rotate', events: one([0, 1, 2]) },
        { do: 'pin', account: account(), version: Math.floor(random() * 5) },
        { do: 'unpin', account: account() },
        { do: 'switchKey', account: account() },
        { do: 'timePasses' },
        { do: 'nearExpiryEvent' },
        { do: 'revoke' },
        { do: 'restore' },
      ]),
    );
  }
  const nearExpiry = random() < 0.3;
  const scenario: AppScenario = {
    instances: one([1, 2, 2, 3, 4]),
    accounts: one<AppScenario['accounts']>([['pinned'], ['pinned', 'automatic'], ['pinned', 'pinned', 'automatic']]),
    versions: one([1, 2]),
    deeds: nearExpiry
      ? [{ do: 'nearExpiryEvent' }, { do: 'nearExpiryEvent' }, ...deeds.filter((deed) => deed.do !== 'rotate')]
      : deeds,
    faults: one([0, 1, 2, 3]),
    kills: one([0, 0, 1, 2]),
    skews: one([[], [2.5, -2.5, 0, 2.5]]),
    nearExpiry,
  };
  return () => new AppWorld(scenario);
}
