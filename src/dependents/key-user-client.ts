import type { TokenCredential } from '@azure/identity';
import { createArmReader } from '../azure/arm-reader.ts';
import type { Cloud } from '../azure/cloud.ts';
import { unlessMissing } from '../azure/failure.ts';
import { LIMITS } from '../azure/limits.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { apiVersionOf } from '../keys/key-user-types.ts';
import { type GraphResource, toResource } from './resource-graph-client.ts';

/** Resources of other services, from their providers: unlike Resource Graph they show a change at once. */
export interface KeyUserResources {
  /** Undefined: it does not exist. Errors are read with `describeFailure`. */
  get(id: ResourceId, signal?: AbortSignal): Promise<GraphResource | undefined>;
}

export function createKeyUserResources(credential: TokenCredential, cloud: Cloud): KeyUserResources {
  const read = createArmReader(credential, cloud, LIMITS.resourceManager);
  return {
    async get({ id, subscriptionId, type, name }, signal) {
      const version = apiVersionOf(type);
      if (version === undefined) throw new TypeError(`The API version of ${type} is not known.`);
      const shown = await unlessMissing(() => read(id, { 'api-version': version }, signal));
      // Its own spelling of the id is the one that Resource Graph shows.
      return shown === undefined ? undefined : toResource({ id, ...(shown as object), subscriptionId, type, name });
    },
  };
}
