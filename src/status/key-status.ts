import { findNewestUsableVersion, type KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { ShownEffect } from '../probe/effect-of-key.ts';
import type { KeyFacts } from './key-facts.ts';
import type { KeyStatus } from './key-schemas.ts';
import { getRevocationView } from './key-state.ts';
import type { ShownUsage } from './key-usage.ts';
import { listLockoutWarnings } from './lockout-warnings.ts';
import { listVersionViews } from './version-views.ts';

interface KeyStatusPorts {
  readonly now: () => Date;
  readonly facts: () => Promise<KeyFacts>;
  readonly usage: () => Promise<ShownUsage>;
  /** Effect of the key on file services, as far as it is known. */
  readonly effect: () => Promise<ShownEffect>;
}

/**
 * Returns the status of a key: its versions, open revocation, dependents and users per version. The status names every
 * read that failed or exceeded its time limit.
 */
export async function readKeyStatus(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  ports: KeyStatusPorts,
): Promise<KeyStatus> {
  const [{ view, dependents, selfLockout }, usage, { effect, refusedAfter, warnings }] = await Promise.all([
    ports.facts(),
    ports.usage(),
    ports.effect(),
  ]);

  const now = ports.now();

  return {
    key: key.id,
    versions: listVersionViews(versions, view.users, now),
    newestUsable: findNewestUsableVersion(versions, now)?.version,
    revocation: getRevocationView(versions, now),
    dependents,
    effect,
    refusedAfter,
    ...view,
    ...usage,
    warnings: [...listLockoutWarnings({ selfLockout }), ...warnings],
  };
}

/** Status without varying fields: the time of the probe, and the first caller. */
export function getStatusContent(status: KeyStatus): unknown {
  const effect = status.effect.map(({ checkedOn, since, ...shown }) =>
    since === checkedOn ? shown : { ...shown, since },
  );
  effect.sort((a, b) => (a.account < b.account ? -1 : 1));
  return { ...status, effect };
}
