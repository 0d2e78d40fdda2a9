import { ResourceGraphClient } from '@azure/arm-resourcegraph';
import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { readUnlessMissing } from '../azure/failure.ts';
import { createArmReader } from '../azure/json-sender.ts';
import { type CallLimits, LIMITS } from '../azure/limits.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { createArmOptions, toAbortOption } from '../azure/resource-manager.ts';
import { CmkError } from '../errors/errors.ts';
import { findKeyUserType } from './key-user-types.ts';

/** A row of the projection `id, name, type, location, subscriptionId, tags, identity, properties`. */
const ROW = z.object({
  id: z.string(),
  name: z.string().catch(''),
  type: z.string().toLowerCase(),
  location: z.string().catch(''),
  subscriptionId: z.string().catch(''),
  /** Absent if the projection lacks tags. */
  tags: z.record(z.string(), z.string()).optional().catch({}),
  /** The managed identities. Absent if the projection lacks them. */
  identity: z.unknown().optional(),
  properties: z.unknown(),
});
export type GraphResource = Readonly<z.output<typeof ROW>>;

function toResource(row: unknown): GraphResource | undefined {
  return ROW.safeParse(row).data;
}

export type ResourceGraph = ReturnType<typeof createResourceGraph>;

/** Maximum page size (Resource Graph, "Working with large Azure resource data sets"). */
const PAGE_SIZE = 1_000;

/**
 * Azure Resource Graph. It omits resources that the identity may not read, without an error. It reflects changes with a
 * delay that Microsoft does not document.
 */
export function createResourceGraph(
  credential: TokenCredential,
  cloud: Cloud,
  limits: CallLimits = LIMITS.resourceGraph,
) {
  const client = new ResourceGraphClient(credential, createArmOptions(cloud, limits));

  return {
    /**
     * Queries every subscription that the identity can read, page by page, without duplicates. The query must project
     * `id`, because Resource Graph requires it for paging.
     *
     * @throws {@link CmkError} after the last row if Resource Graph reports missing rows. Other errors are the SDK's.
     */
    async *query(query: string, signal?: AbortSignal): AsyncIterable<GraphResource> {
      const seen = new Set<string>();
      let skipToken: string | undefined;
      let total = 0;
      let isLimitHit = false;
      do {
        const before = seen.size;
        const options = { resultFormat: 'objectArray', top: PAGE_SIZE, ...(skipToken ? { skipToken } : {}) } as const;
        const answer = await client.resources(
          { query, options },
          {
            ...toAbortOption(signal),
            onResponse: ({ headers }) => {
              isLimitHit ||= headers.get('x-ms-tenant-subscription-limit-hit')?.toLowerCase() === 'true';
            },
          },
        );

        for (const row of Array.isArray(answer.data) ? answer.data : []) {
          const read = toResource(row);
          if (!read || seen.has(read.id.toLowerCase())) continue;

          seen.add(read.id.toLowerCase());
          yield read;
        }

        total = answer.totalRecords ?? 0;

        // Pages without new rows would never end.
        skipToken = seen.size === before ? undefined : answer.skipToken;
      } while (skipToken);

      if (!isLimitHit && seen.size >= total) return;

      throw new CmkError(
        'OtherResourcesUnreadable',
        isLimitHit
          ? 'The identity can read more subscriptions than one query covers. Resource Graph did not return every resource.'
          : `Resource Graph returned only ${seen.size} of ${total} resources.`,
        'Search for further resources with `az graph query` in each subscription separately.',
      );
    },
  };
}

export type KeyUserResources = ReturnType<typeof createKeyUserResources>;

/**
 * Reads resources of other services from their providers. Unlike Resource Graph, providers return changes immediately.
 */
export function createKeyUserResources(credential: TokenCredential, cloud: Cloud) {
  const read = createArmReader(credential, cloud, LIMITS.resourceManager);

  return {
    /** Undefined if the resource does not exist. Read its errors with `describeFailure`. */
    async get({ id, subscriptionId, type, name }: ResourceId, signal?: AbortSignal) {
      const version = findKeyUserType(type)?.apiVersion;
      if (version === undefined) throw new TypeError(`The app knows no API version for ${type}.`);
      const shown = await readUnlessMissing(() => read(id, { 'api-version': version }, signal));
      // Resource Graph uses the provider's spelling of the id.
      return shown === undefined ? undefined : toResource({ id, ...(shown as object), subscriptionId, type, name });
    },
  };
}
