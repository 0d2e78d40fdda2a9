import type { TokenCredential } from '@azure/identity';
import { createArmReader } from './arm-reader.ts';
import type { Cloud } from './cloud.ts';
import type { CallLimits } from './limits.ts';

/** Resources of any type by their names: what ARM shows of them to whoever may read them, in whichever group. */
export interface Resources {
  /**
   * ARM ids of the resources of that type and name in a subscription. It asks once, however many resources there are.
   *
   * @throws an error that `describeFailure` reads
   */
  find(subscriptionId: string, type: string, name: string): Promise<string[]>;
}

export function createResources(credential: TokenCredential, cloud: Cloud, limits: CallLimits): Resources {
  const read = createArmReader(credential, cloud, limits);
  return {
    async find(subscriptionId, type, name) {
      const filter = `resourceType eq '${type}' and name eq '${name}'`;
      const query = { 'api-version': '2021-04-01', $filter: filter };
      const body = (await read(`/subscriptions/${subscriptionId}/resources`, query)) as { value?: { id?: string }[] };
      return (body.value ?? []).flatMap(({ id }) => id ?? []);
    },
  };
}
