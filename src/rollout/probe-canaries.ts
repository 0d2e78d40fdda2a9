import { timeBoxed } from '../azure/deadline.ts';
import { lastName, parseResourceId } from '../azure/resource-id.ts';
import { type DataServices, type ProbeResult, probe } from '../effect/probe.ts';
import { type PlaceLists, targetsOfAccount } from '../effect/probe-targets.ts';

/** Time for asking all of them. Milliseconds. */
const ASKING_MS = 30_000;

/** Asks the services of canaries whether they serve; those that cannot tell (no share, no answer) hold nobody. */
export type ProbeCanaries = (accounts: readonly string[]) => Promise<{
  /** Those that do not, in words. */
  readonly failing: readonly string[];
  /** Those of which nothing can be told, likewise. */
  readonly unseen: readonly string[];
}>;

export function canaryProbe(services: PlaceLists & DataServices & { readonly now: () => Date }): ProbeCanaries {
  return async (accounts) => {
    const targets = await timeBoxed(async (signal) => {
      const ids = accounts.flatMap((account) => parseResourceId(account) ?? []);
      return Promise.all(ids.flatMap((id) => targetsOfAccount(id, services, signal)));
    }, ASKING_MS);
    const results = await probe(targets, services, ASKING_MS);
    const inWords = ({ account, state, why }: ProbeResult): string => `${lastName(account)} (${why ?? state})`;
    const told = new Set(results.flatMap(({ account, state }) => (state === 'unknown' ? [] : account)));
    return {
      failing: results.filter(({ state }) => state === 'blocked').map(inWords),
      unseen: results.filter(({ account, state }) => state === 'unknown' && !told.has(account)).map(inWords),
    };
  };
}
