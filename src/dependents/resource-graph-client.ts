import { ResourceGraphClient } from '@azure/arm-resourcegraph';
import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { type CallLimits, LIMITS } from '../azure/limits.ts';
import { aborting, armOptions } from '../azure/resource-manager.ts';
import { CmkError } from '../errors.ts';

/** A row of the projection `id, name, type, location, subscriptionId, tags, properties`. */
export interface GraphResource {
  readonly id: string;
  readonly name: string;
  /** Lower case, as Resource Graph returns it. */
  readonly type: string;
  readonly location: string;
  readonly subscriptionId: string;
  /** Absent if the projection lacks tags. */
  readonly tags?: Readonly<Record<string, string>>;
  readonly properties: unknown;
}

/**
 * Azure Resource Graph. It omits resources that the identity may not read, without an error. It reflects changes with a
 * delay that Microsoft does not document.
 */
export interface ResourceGraph {
  /**
   * Queries every subscription that the identity can read, page by page, without duplicates. The query must project
   * `id`, because Resource Graph requires it for paging.
   *
   * @throws {@link CmkError} after the last row if Resource Graph reports missing rows. Other errors are the SDK's.
   */
  query(query: string, signal?: AbortSignal): AsyncIterable<GraphResource>;
}

const TAGS = z.record(z.string(), z.string());
/** Maximum page size (Resource Graph, "Working with large Azure resource data sets"). */
const PAGE_SIZE = 1_000;

export function createResourceGraph(
  credential: TokenCredential,
  cloud: Cloud,
  limits: CallLimits = LIMITS.resourceGraph,
): ResourceGraph {
  const client = new ResourceGraphClient(credential, armOptions(cloud, limits));
  return {
    async *query(query, signal) {
      const seen = new Set<string>();
      let skipToken: string | undefined;
      let total = 0;
      let cut: string | undefined;
      do {
        const before = seen.size;
        const answer = await client.resources(
          { query, options: { resultFormat: 'objectArray', top: PAGE_SIZE, ...(skipToken ? { skipToken } : {}) } },
          {
            ...aborting(signal),
            onResponse: ({ headers }) => {
              if (headers.get('x-ms-tenant-subscription-limit-hit')?.toLowerCase() === 'true') {
                cut = 'The identity can read more subscriptions than one query covers.';
              }
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
        skipToken = answer.skipToken;
        // Repeated pages, or pages without new rows, would never end.
        if (skipToken && seen.size === before) {
          cut ??= 'Its pages contain no new rows.';
          skipToken = undefined;
        }
        if (!skipToken && String(answer.resultTruncated) === 'true') cut ??= 'The result was truncated.';
      } while (skipToken);
      if (seen.size < total) cut ??= `The app could read only ${seen.size} of ${total} rows.`;
      if (cut) {
        const nextStep = 'Search for further resources with `az graph query` in each subscription separately.';
        throw new CmkError(
          'OtherResourcesUnreadable',
          `${cut} Resource Graph did not return every resource.`,
          nextStep,
        );
      }
    },
  };
}

export function toResource(row: unknown): GraphResource | undefined {
  if (typeof row !== 'object' || row === null) return undefined;
  const { id, name, type, location, subscriptionId, tags, properties } = row as Record<string, unknown>;
  if (typeof id !== 'string' || typeof type !== 'string') return undefined;
  return {
    id,
    name: typeof name === 'string' ? name : '',
    type: type.toLowerCase(),
    location: typeof location === 'string' ? location : '',
    subscriptionId: typeof subscriptionId === 'string' ? subscriptionId : '',
    ...(tags ? { tags: TAGS.safeParse(tags).data ?? {} } : {}),
    properties,
  };
}
