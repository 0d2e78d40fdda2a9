import { timeBoxed } from '../azure/deadline.ts';
import { type BlastRadiusServices, readBlastRadius } from '../dependents/blast-radius.ts';
import { readEffect } from '../effect/effect-of-key.ts';
import type { Keys } from '../keys/key-client.ts';
import { asSpelled, type ManagedKey } from '../keys/managed-vaults.ts';
import type { KeyUsageLog } from '../keys/usage-log-client.ts';
import { readDetail, versionDetails } from '../overview/key-detail.ts';
import type { SummaryPorts } from '../overview/key-summary.ts';
import { readKeyUsage } from '../overview/usage-view.ts';
import { keyState } from '../revocation/key-state.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { pausedView } from '../rollout/pause.ts';
import type { DriftSettings } from '../settings/settings.ts';
import { listOrRefuse, noSuchKey } from './key-of-route.ts';
import type { KeyStatusResponse } from './schemas.ts';
import { dependentsOf } from './to-json.ts';
import { lockoutWarning } from './warnings.ts';

/**
 * How long the answer waits for what depends on the key. Whoever asks may be in the middle of an incident, and what is not
 * read by then is named in the answer; reading and asking the file services beside it takes no longer. Milliseconds.
 */
const DEPENDENTS_MS = 8_000;

export type StatusServices = Parameters<typeof readEffect>[2] &
  BlastRadiusServices &
  SummaryPorts & {
    readonly settings: { readonly drift: Pick<DriftSettings, 'usageWorkspace'> };
    readonly usageLog: KeyUsageLog;
    readonly urgentKeys: Keys;
    readonly sleep: (ms: number) => Promise<void>;
  };

/**
 * How a key stands: its versions, an open revocation, what depends on it, and what that shows to whoever uses the data.
 *
 * @throws {@link HttpProblem} 404, or 502 when Key Vault cannot be read
 */
export async function keyStatus(key: ManagedKey, services: StatusServices): Promise<KeyStatusResponse> {
  const versions = await listOrRefuse(key, services);
  if (versions.length === 0) throw noSuchKey();
  const revoked = openRevocation(versions, services.now());
  const [dependents, detail, effect, usage] = await Promise.all([
    timeBoxed((signal) => readBlastRadius(key, services, { signal }), DEPENDENTS_MS),
    timeBoxed((signal) => readDetail(key, versions, services, signal), DEPENDENTS_MS),
    readEffect(key, Promise.resolve(revoked), services),
    readKeyUsage(key, services.settings.drift.usageWorkspace, services, DEPENDENTS_MS),
  ]);
  const { newestUsable, revocation, versions: states } = keyState(versions, services.now());
  // As this instance last read it: the status waits for no more than it has to.
  const pause = services.control.pauseNow(key.id);
  const details = versionDetails(versions, detail.users, services.now());
  return {
    key: asSpelled(key, versions).id,
    versions: states.flatMap((state) => {
      const more = details.get(state.version);
      return more ? { ...state, ...more } : [];
    }),
    newestUsable,
    revocation,
    ...(pause ? { paused: pausedView(pause) } : {}),
    dependents: dependentsOf(dependents),
    effect: effect.accounts.map((account) => ({ ...account })),
    ...(effect.times ? { effectTimes: effect.times } : {}),
    ...detail,
    ...usage,
    warnings: [...lockoutWarning(dependents), ...effect.warnings],
  };
}
