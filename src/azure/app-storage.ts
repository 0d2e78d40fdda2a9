import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { getDefaultProxySettings, type PipelinePolicy } from '@azure/core-rest-pipeline';
import { TableClient } from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import {
  BlobServiceClient,
  newPipeline,
  type RequestPolicyFactory,
  type StoragePipelineOptions,
} from '@azure/storage-blob';
import { newPipeline as newQueuePipeline, QueueServiceClient } from '@azure/storage-queue';
import { DeadlineError, timeBoxed } from './deadline.ts';
import { giveUpIdle, KEPT } from './kept-http.ts';
import { callOptions, LIMITS, OWN_STORAGE_MS } from './limits.ts';
import { storageClock } from './storage-clock.ts';

/** By connection string, which is meant for development, or by the app's identity. URIs have no trailing slash. */
export type AppStorage =
  | { readonly connectionString: string }
  | { readonly accountName: string; readonly blobUri: string; readonly queueUri: string; readonly tableUri: string };

/** Container of what drift checks, probes and lists of subscriptions leave in it. */
export const DRIFT_CONTAINER = 'cmk-drift';

type Retries = NonNullable<StoragePipelineOptions['retryOptions']>;

/** What is not answered now is tried again by whoever calls; the SDK's own retries take minutes. */
const FEW: Retries = { maxTries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 };

/** One quick retry: for whoever tries again by itself, or is waited for. */
export const ONE_RETRY: Retries = { maxTries: 2, retryDelayInMs: 100, maxRetryDelayInMs: 500 };

/** The blob service of the app's own storage, with a deadline for each request; nothing is asked of it yet. */
export function appBlobs(
  { storage }: { readonly storage: AppStorage },
  credential: () => TokenCredential,
  retryOptions: Retries = FEW,
): BlobServiceClient {
  // The SDKs take a connection string in the place of a pipeline, and not beside it: what they read in it is handed on.
  const service =
    'connectionString' in storage
      ? BlobServiceClient.fromConnectionString(storage.connectionString)
      : { credential: credential(), url: storage.blobUri };
  const pipeline = newPipeline(service.credential, { retryOptions });
  pipeline.factories.push(deadline('The blob service'));
  return new BlobServiceClient(service.url, pipeline);
}

/** The queue service of the app's own storage, with a deadline for each request; nothing is asked of it yet. */
export function appQueues(
  { storage }: { readonly storage: AppStorage },
  credential: () => TokenCredential,
  retryOptions: Retries = FEW,
): QueueServiceClient {
  const read =
    'connectionString' in storage ? QueueServiceClient.fromConnectionString(storage.connectionString) : undefined;
  // biome-ignore lint/complexity/useLiteralKeys: it is protected here, and public in the blob SDK.
  const pipeline = newQueuePipeline(read ? read['credential'] : credential(), { retryOptions });
  pipeline.factories.push(deadline('The queue service'));
  return new QueueServiceClient('queueUri' in storage ? storage.queueUri : (read?.url ?? ''), pipeline);
}

/**
 * A table of the app's own storage, with the limits of `LIMITS.ownTables`; nothing is asked of it yet.
 *
 * @throws when a connection string does not lead to a table service
 */
export function appTable(
  { storage }: { readonly storage: AppStorage },
  credential: () => TokenCredential,
  name: string,
): TableClient {
  const { additionalPolicies, ...limits } = callOptions(LIMITS.ownTables);
  // Its failures have bodies of their own form, which the SDK reads.
  const policies = additionalPolicies.filter(({ policy }) => policy.name !== 'failureBodies');
  const clock = { policy: LEARN_TIME, position: 'perRetry' } as const;
  const options = { ...limits, additionalPolicies: [...policies, clock] };
  return 'connectionString' in storage
    ? TableClient.fromConnectionString(storage.connectionString, name, { ...options, allowInsecureConnection: true })
    : new TableClient(storage.tableUri, name, credential(), options);
}

/** The worker of a subscription begins with a request to a table, and so knows the time of the storage account. */
const LEARN_TIME: PipelinePolicy = {
  name: 'learnTime',
  async sendRequest(request, next) {
    const askedMs = Date.now();
    const response = await next(request);
    storageClock.learn(response.headers.get('date'), askedMs);
    return response;
  },
};

const PLAIN = new HttpAgent(KEPT);
const SECURE = new HttpsAgent(KEPT);

/** The agent with the connections that are kept; undefined behind a proxy: which requests go through it, the SDK decides, and it keeps no tunnels. */
function agentFor(protocol: string): HttpAgent | undefined {
  if (getDefaultProxySettings()) return undefined;
  return protocol === 'https:' ? SECURE : PLAIN;
}

/**
 * The storage SDKs take policies and HTTP clients of their old kind alone. This one stands outside their retries, and so
 * the deadline is one for all the tries of a request.
 */
function deadline(service: string): RequestPolicyFactory {
  return {
    create: (next) => ({
      sendRequest: (request) => {
        const { protocol, hostname } = new URL(request.url);
        const agent = agentFor(protocol);
        if (agent) request.agent = agent;
        return timeBoxed(
          async (signal) => {
            const outer = request.abortSignal;
            request.abortSignal = signal;
            try {
              return await next.sendRequest(request);
            } catch (error) {
              // What killed its connection may have killed those that are idle.
              if (agent && signal.aborted) giveUpIdle(agent, hostname);
              if (!signal.aborted || outer?.aborted) throw error;
              throw new DeadlineError(`${service} of the app's own storage did not answer`, OWN_STORAGE_MS);
            }
          },
          OWN_STORAGE_MS,
          request.abortSignal instanceof AbortSignal ? request.abortSignal : undefined,
        );
      },
    }),
  };
}
