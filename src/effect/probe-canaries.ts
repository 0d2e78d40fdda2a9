import { timeBoxed } from '../azure/deadline.ts';
import { lastName, parseResourceId } from '../azure/resource-id.ts';
import type { ControllerPorts } from '../fleet/controller.ts';
import { REASONS } from '../reasons.ts';
import { type DataServices, type ProbeResult, probe } from './probe.ts';
import { type PlaceLists, targetsOfAccount } from './probe-targets.ts';

const ASKING_MS = 30_000;

/** Asks the services of canaries whether they serve; one that cannot tell (no share, no answer) is logged, and holds up nothing. */
export function canaryProbe(
  services: PlaceLists & DataServices & { readonly now: () => Date },
): ControllerPorts['probe'] {
  return async (canaries, target, log) => {
    const targets = await timeBoxed(async (signal) => {
      const ids = canaries.flatMap((account) => parseResourceId(account) ?? []);
      return Promise.all(ids.flatMap((id) => targetsOfAccount(id, services, signal)));
    }, ASKING_MS);
    const results = await probe(targets, services, ASKING_MS);
    const inWords = ({ account, state, why }: ProbeResult): string => `${lastName(account)} (${why ?? state})`;
    const failing = results.filter(({ state }) => state === 'blocked').map(inWords);
    if (failing.length > 0) return { unwell: failing.join(', ') };
    const told = new Set(results.flatMap(({ account, state }) => (state === 'unknown' ? [] : account)));
    const unseen = results.filter(({ account, state }) => state === 'unknown' && !told.has(account)).map(inWords);
    if (unseen.length > 0) {
      const message = `${REASONS.CanaryUnseen} ${unseen.join(', ')}.`;
      log({ level: 'warning', reason: 'CanaryUnseen', message, version: target });
    }
    return 'proven';
  };
}
