import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { createArmReader } from '../azure/json-sender.ts';
import type { CallLimits } from '../azure/limits.ts';

const PROVIDER = z.object({ registrationState: z.string() });

/** Reads which resource providers a subscription has registered. Read its errors with `describeFailure`. */
export function createResourceProviders(credential: TokenCredential, cloud: Cloud, limits: CallLimits) {
  const read = createArmReader(credential, cloud, limits);

  return {
    async isRegistered(subscriptionId: string, namespace: string, signal?: AbortSignal): Promise<boolean> {
      const path = `/subscriptions/${subscriptionId}/providers/${namespace}`;
      const { registrationState } = PROVIDER.parse(await read(path, { 'api-version': '2021-04-01' }, signal));
      return registrationState === 'Registered';
    },
  };
}
