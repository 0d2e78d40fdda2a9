import { timeBoxed } from '../azure/deadline.ts';
import { lastName, parseResourceId } from '../azure/resource-id.ts';
import { type DataServices, type ProbeResult, probe } from '../effect/probe.ts';
import { type PlaceLists, targetsOfAccount } from '../effect/probe-targets.ts';
import type { ControllerPorts } from '../fleet/controller.ts';
import { REASONS } from '../reasons.ts';

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

/** The same as the controller asks it: what cannot be told of a canary is logged, and holds up nothing. */
export function probeCanary(probeCanaries: ProbeCanaries): ControllerPorts['probe'] {
  return async (canaries, target, log) => {
    const { failing, unseen } = await probeCanaries(canaries);
    if (failing.length > 0) return { unwell: failing.join(', ') };
    if (unseen.length > 0) {
      const message = `${REASONS.CanaryUnseen} ${unseen.join(', ')}.`;
      log({ level: 'warning', reason: 'CanaryUnseen', message, version: target });
    }
    return 'proven';
  };
}
