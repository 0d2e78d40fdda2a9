import { timeBoxed } from '../azure/deadline.ts';
import { lastName, parseResourceId } from '../azure/resource-id.ts';
import { type DataServices, probe } from '../effect/probe.ts';
import { type PlaceLists, targetsOfAccount } from '../effect/probe-targets.ts';

/** Time for asking all of them. Milliseconds. */
const ASKING_MS = 30_000;

/** Asks the services of canaries whether they serve; those that cannot tell (no share, no way there) do not count. */
export type ProbeCanaries = (accounts: readonly string[]) => Promise<{ readonly failing: readonly string[] }>;

export function canaryProbe(services: PlaceLists & DataServices & { readonly now: () => Date }): ProbeCanaries {
  return async (accounts) => {
    const targets = await timeBoxed(async (signal) => {
      const ids = accounts.flatMap((account) => parseResourceId(account) ?? []);
      return Promise.all(ids.flatMap((id) => targetsOfAccount(id, services, signal)));
    }, ASKING_MS);
    const results = await probe(targets, services, ASKING_MS);
    const failing = results.flatMap(({ account, state, why }) =>
      state === 'blocked' ? [`${lastName(account)} (${why ?? state})`] : [],
    );
    return { failing };
  };
}
