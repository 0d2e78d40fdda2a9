import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { unlessMissing } from '../azure/failure.ts';
import { createArmReader } from '../azure/json-sender.ts';
import { LIMITS } from '../azure/limits.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { apiVersionOf } from '../keys/key-user-types.ts';
import { type GraphResource, toResource } from './resource-graph-client.ts';

/**
 * Reads resources of other services from their providers. Unlike Resource Graph, providers return changes immediately.
 */
export interface KeyUserResources {
  /** Undefined if the resource does not exist. Read its errors with `describeFailure`. */
  get(id: ResourceId, signal?: AbortSignal): Promise<GraphResource | undefined>;
}

export function createKeyUserResources(credential: TokenCredential, cloud: Cloud): KeyUserResources {
  const read = createArmReader(credential, cloud, LIMITS.resourceManager);
  return {
    async get({ id, subscriptionId, type, name }, signal) {
      const version = apiVersionOf(type);
      if (version === undefined) throw new TypeError(`The app knows no API version for ${type}.`);
      const shown = await unlessMissing(() => read(id, { 'api-version': version }, signal));
      // Resource Graph uses the provider's spelling of the id.
      return shown === undefined ? undefined : toResource({ id, ...(shown as object), subscriptionId, type, name });
    },
  };
}
