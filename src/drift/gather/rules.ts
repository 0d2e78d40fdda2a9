import { listRequiredSubscriptions, listRequiredWatches } from '../../events/subscription.ts';
import type { Settings } from '../../settings/settings.ts';
import type { Rules } from '../checks/subjects.ts';

/** Rules of the checks, apart from the read state. */
export function createRules({ drift, clientId }: Settings, now: Date, contests: Rules['contests'] = []): Rules {
  const { functionAppId, storageAccountId, watchChanges } = drift;
  const destination = functionAppId === undefined ? undefined : { functionAppId, storageAccountId };
  return {
    now,
    drift,
    contests,
    wantedSubscriptions: destination && listRequiredSubscriptions(destination),
    wantedWatches: destination && watchChanges ? listRequiredWatches(destination, clientId) : [],
  };
}
