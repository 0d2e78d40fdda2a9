import { benchFleet } from '../local/azure/bench-fleet.ts';
import { CLIENT_IDS, CMK_API_AUDIENCE } from '../local/azure/constants.ts';
import type { Requests } from './requests.ts';
import { withRig } from './rig.ts';

export interface RevokeBench {
  readonly dependents: number;
  /** Until the call was answered: every version is disabled then, and it is proved. */
  readonly seconds: number;
  readonly status: number;
  /** Until all that a revocation orders for later was done. */
  readonly untilEmpty: number;
  readonly skipped: number;
  readonly all: Requests;
  readonly peakMiB: number | undefined;
  readonly poisoned: number;
}

/** Revokes a key that many accounts depend on, over the API, while the key is rotating. */
export async function benchRevoke({ accounts, subscriptions = 40 }: { accounts: number; subscriptions?: number }) {
  const regions = ['westeurope', 'northeurope', 'uksouth'];

  return withRig({}, async (rig): Promise<RevokeBench> => {
    const { azure } = rig;
    const { vault, keyName } = benchFleet(azure.world, { accounts, subscriptions, regions });

    await rig.start({ CMK_VAULTS: vault.id });

    const revoker = azure.world.principals.get(CLIENT_IDS.revoker);
    if (!revoker) throw new Error('The local tenant has no revoker.');

    const started = rig.seconds();

    const answer = await fetch(`${rig.url}/api/keys/${vault.name}/${keyName}/revoke`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${azure.tokens.issue(revoker, CMK_API_AUDIENCE).token}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ reason: 'a benchmark', confirm: `${vault.name}/${keyName}` }),
    });

    const text = await answer.text();
    const seconds = rig.seconds() - started;

    if (answer.status !== 200) throw new Error(`The revocation was answered with ${answer.status}: ${text}`);

    await rig.until(rig.empty, 3_600);

    return {
      dependents: accounts,
      seconds,
      status: answer.status,
      untilEmpty: rig.seconds() - started,
      skipped: rig.skipped(),
      all: rig.requests(),
      peakMiB: rig.peakMiB(),
      poisoned: (await rig.count('fleet-work-poison')) + (await rig.count('key-work-poison')),
    };
  });
}
