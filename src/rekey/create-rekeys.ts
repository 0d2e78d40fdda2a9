import type { InSight } from '../accounts/in-sight.ts';
import { StandingRekeys } from '../accounts/standing-rekeys.ts';
import type { TokenCredential } from '../azure/credential.ts';
import type { RekeyStore } from '../fleet/rekey-order.ts';
import { createRekeyStore } from '../fleet/rekey-store-client.ts';
import type { Settings } from '../settings/settings.ts';

/** Standing orders, and what the reconcile of an account has to know of them. */
export interface StandingRekeyServices {
  readonly rekeys: RekeyStore;
  readonly standingRekeys: StandingRekeys;
}

/** No call is made yet. */
export function createRekeys(
  settings: Settings,
  inSight: InSight,
  identity: TokenCredential,
  now: () => Date,
): StandingRekeyServices {
  const rekeys = createRekeyStore(settings, () => identity);
  return { rekeys, standingRekeys: new StandingRekeys(rekeys, { vaults: settings.vaults, inSight }, now) };
}
