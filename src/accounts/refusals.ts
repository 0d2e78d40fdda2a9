import { describeFailure } from '../azure/failure.ts';
import type { PacedPlace, Turns } from '../azure/turns.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import { UNSAID_SECONDS } from './put-off.ts';

/** The accounts of one place, whose refusals (429, or 503 that says when to come again) are told to all who call there. */
export function tellingRefusals(
  accounts: StorageAccounts,
  place: PacedPlace,
  ports: { readonly turns: Turns; readonly schedule: Turns; readonly now: () => Date },
): StorageAccounts {
  const heard = (error: unknown, what: 'call' | 'list' = 'call'): never => {
    const { kind, retryAfterSeconds } = describeFailure(error);
    if (kind === 'throttled') {
      const ms = (retryAfterSeconds ?? UNSAID_SECONDS) * 1000;
      for (const each of [ports.turns, ports.schedule]) each.refused(place, what, ports.now().getTime(), ms);
    }
    throw error;
  };
  return {
    list: accounts.list,
    get: (...asked) => accounts.get(...asked).catch((error: unknown) => heard(error)),
    updateEncryption: (...asked) => accounts.updateEncryption(...asked).catch((error: unknown) => heard(error)),
    async *listScopes(...asked) {
      try {
        yield* accounts.listScopes(...asked);
      } catch (error) {
        heard(error, 'list');
      }
    },
    getScope: (...asked) => accounts.getScope(...asked).catch((error: unknown) => heard(error)),
    updateScopeKey: (...asked) => accounts.updateScopeKey(...asked).catch((error: unknown) => heard(error)),
  };
}
