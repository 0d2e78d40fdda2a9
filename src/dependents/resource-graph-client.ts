import { ResourceGraphClient } from '@azure/arm-resourcegraph';
import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { type CallLimits, LIMITS } from '../azure/limits.ts';
import { aborting, armOptions } from '../azure/resource-manager.ts';
import { CmkError } from '../errors.ts';

/** One resource, as the projection `id, name, type, location, subscriptionId, tags, properties` gives it. */
export interface GraphResource {
  readonly id: string;
  readonly name: string;
  /** Lower case, as Resource Graph writes types. */
  readonly type: string;
  readonly location: string;
  readonly subscriptionId: string;
  /** Absent where the projection has none. */
  readonly tags?: Readonly<Record<string, string>>;
  readonly properties: unknown;
}

/**
 * Azure Resource Graph. It shows what the identity may read and says nothing of the rest, and it follows changes with a
 * delay that Microsoft does not put a figure to.
 */
export interface ResourceGraph {
  /**
   * Rows of a query over every subscription that the identity sees, page by page, each once. The query has to project `id`,
   * without which there is no next page.
   *
   * @throws {@link CmkError} after the rows there are, when Resource Graph says that they are not all. Every other error
   *   is the SDK's.
   */
  query(query: string, signal?: AbortSignal): AsyncIterable<GraphResource>;
}

const TAGS = z.record(z.string(), z.string());
/** The most that a page holds (Resource Graph, "Working with large Azure resource data sets"). */
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
                cut = 'The identity sees more subscriptions than one query covers.';
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
        // A circle of pages has no end, and neither have pages that name another one each time.
        if (skipToken && seen.size === before) {
          cut ??= 'Its pages lead nowhere.';
          skipToken = undefined;
        }
        if (!skipToken && String(answer.resultTruncated) === 'true') cut ??= 'The answer was cut short.';
      } while (skipToken);
      if (seen.size < total) cut ??= `Of ${total} rows that it counts ${seen.size} could be read.`;
      if (cut) {
        const nextStep = 'Look for further resources with `az graph query` in each subscription by itself.';
        throw new CmkError('OtherResourcesUnreadable', `${cut} Resource Graph did not show everything.`, nextStep);
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
