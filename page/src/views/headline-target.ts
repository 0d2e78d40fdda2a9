import type { HealthState } from '../../../src/fleet/health-states.ts';
import { keyNames } from '../names.ts';
import { href } from '../route.ts';
import type { SeenNow } from './now-seen.ts';

/** Where the headline leads: the first of what it names; undefined: that is below it on the page, or nothing is wrong. */
export function targetOf(seen: SeenNow | undefined): string | undefined {
  const { fleet, keys, rotations, drift } = seen?.parts ?? {};
  const { revoked = [], moreRevoked = 0, notBegun = [] } = keys?.value ?? {};
  const [key] = revoked;
  if (key) return revoked.length + moreRevoked > 1 ? href(['break-glass']) : href(['break-glass', key.vault, key.name]);
  const states = fleet?.value?.states;
  const inState = (wanted: readonly HealthState[]) => {
    const health = wanted.find((state) => states?.[state]);
    return health && href(['fleet'], { health });
  };
  const stuck = [...(rotations?.value?.underWay ?? []), ...notBegun].find(({ state }) => /^(stuck|held)$/.test(state));
  const stuckKey = stuck && keyNames(stuck.key);
  const cause = drift?.value?.report?.causes.find(({ severity }) => severity !== 'advice');
  const about = keyNames(cause?.about[0] ?? '');
  const causeTarget = cause?.sample.some((id) => /\/storageAccounts\//i.test(id))
    ? href(['fleet'], { cause: cause.id })
    : about && href(['keys', about.vault, about.key]);
  const behind = inState(['Stale', 'Unknown']);
  return (
    inState(['Revoked', 'Blocked', 'NoAccess']) ??
    (stuckKey && href(['keys', stuckKey.vault, stuckKey.key])) ??
    (cause?.severity === 'error' ? causeTarget : (behind ?? causeTarget))
  );
}
