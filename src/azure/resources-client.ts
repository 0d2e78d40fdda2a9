import type { TokenCredential } from '@azure/identity';
import type { Cloud } from './cloud.ts';
import { createArmLister } from './json-sender.ts';
import type { CallLimits } from './limits.ts';

/** Finds resources of any type by name in any resource group, as far as the caller can read them. */
export interface Resources {
  /**
   * Returns the ARM ids of the resources with a type and a name in a subscription, with a single list request.
   *
   * @throws an error that `describeFailure` reads
   */
  find(subscriptionId: string, type: string, name: string): Promise<string[]>;
}

export function createResources(credential: TokenCredential, cloud: Cloud, limits: CallLimits): Resources {
  const list = createArmLister(credential, cloud, limits);
  return {
    async find(subscriptionId, type, name) {
      const filter = `resourceType eq '${type}' and name eq '${name}'`;
      const query = { 'api-version': '2021-04-01', $filter: filter };
      const found = (await list(`/subscriptions/${subscriptionId}/resources`, query)) as { id?: string }[];
      return found.flatMap(({ id }) => id ?? []);
    },
  };
}
