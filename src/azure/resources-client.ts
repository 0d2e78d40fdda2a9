import type { TokenCredential } from '@azure/identity';
import { createArmLister } from './arm-reader.ts';
import type { Cloud } from './cloud.ts';
import type { CallLimits } from './limits.ts';

/** Resources of any type by their names: what ARM shows of them to a caller with read rights, in any resource group. */
export interface Resources {
  /**
   * ARM ids of the resources of that type and name in a subscription. One list, however many resources there are.
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
