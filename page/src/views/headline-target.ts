import { keyNames } from '../../../src/keys/short-names.ts';
import type { HealthState } from '../../../src/status/health-states.ts';
import type { SeenNow } from './now-seen.ts';

/** A view, as arguments of `href`. */
type Target = readonly [parts: readonly string[], query?: Readonly<Record<string, string>>];

/**
 * The link of the headline: to everything that it counts first; undefined if that is listed below it, or nothing is
 * wrong.
 */
export function targetOf(seen: SeenNow | undefined): Target | undefined {
  const { fleet, keys, rotations, drift } = seen?.parts ?? {};
  const { revoked = [], moreRevoked = 0, notBegun = [] } = keys?.value ?? {};
  const [key] = revoked;
  if (key) return [revoked.length + moreRevoked > 1 ? ['break-glass'] : ['break-glass', key.vault, key.name]];

  const states = fleet?.value?.states;
  const inState = (wanted: readonly HealthState[]): Target | undefined => {
    const health = wanted.find((state) => states?.[state]);
    return health && [['fleet'], { health }];
  };
  const cutOff = inState(['Revoked', 'Blocked', 'NoAccess']);
  if (cutOff) return cutOff;

  const stuck = [...(rotations?.value?.underWay ?? []), ...notBegun].filter(
    ({ state, reason }) => /^(stuck|held)$/.test(state) && reason !== 'ContestedChange',
  );
  if (stuck.length > 0) return stuck.length === 1 ? keyTarget(stuck[0]?.key) : undefined;

  const { causes: [worst] = [], counts } = drift?.value?.report ?? {};
  const number = worst?.severity === 'error' ? counts?.error : counts?.warning;
  const behind = worst?.severity === 'error' ? undefined : inState(['Stale', 'Unknown']);
  if (behind || number !== 1 || !worst) return behind;

  const hasAccounts = worst.sample.some((id) => /\/storageAccounts\//i.test(id));

  return hasAccounts ? [['fleet'], { cause: worst.id }] : keyTarget(worst.about[0]);
}

function keyTarget(identifier = ''): Target | undefined {
  const names = keyNames(identifier);
  return names && [['keys', names.vault, names.key]];
}
