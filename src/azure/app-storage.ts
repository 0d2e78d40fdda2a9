import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { getDefaultProxySettings, type PipelinePolicy } from '@azure/core-rest-pipeline';
import { TableClient } from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import {
  BlobServiceClient,
  type ContainerClient,
  newPipeline,
  type RequestPolicyFactory,
  type StoragePipelineOptions,
} from '@azure/storage-blob';
import { newPipeline as newQueuePipeline, QueueServiceClient } from '@azure/storage-queue';
import { asSignal, withDeadline } from './deadline.ts';
import { KEPT } from './kept-http.ts';
import { callOptions, LIMITS, OWN_STORAGE_MS } from './limits.ts';
import { storageClock } from './storage-clock.ts';

/** Credentials: a connection string (for development), or the app's identity. URIs have no trailing slash. */
export type StorageAccount =
  | { readonly connectionString: string }
  | { readonly accountName: string; readonly blobUri: string; readonly queueUri: string; readonly tableUri: string };

/**
 * The app's own storage: the account of the control zone, and the optional separate accounts of the work zone and the
 * audit trail (docs/explanation/trust.md). A writer of the work zone can cause work and delay; a writer of the control
 * zone can control the app.
 */
export type AppStorage = StorageAccount & {
  readonly work?: StorageAccount | undefined;
  readonly audit?: StorageAccount | undefined;
};

/** Container of drift reports, probe results and lists of subscriptions. */
export const DRIFT_CONTAINER = 'cmk-drift';

type Retries = NonNullable<StoragePipelineOptions['retryOptions']>;

/** The app's callers retry; the SDK's default retries would take minutes. */
const FEW: Retries = { maxTries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 };

/** A single quick retry, for callers that retry often and for operators who wait. */
export const ONE_RETRY: Retries = { maxTries: 2, retryDelayInMs: 100, maxRetryDelayInMs: 500 };

type Owner = { readonly storage: AppStorage };

// Only this file assigns clients to zones. No client sends a request before its first call.

type Container = (owner: Owner, credential: () => TokenCredential, name: string, retries?: Retries) => ContainerClient;

/** Container of the leases. */
export const openWorkContainer: Container = ({ storage }, ...of) => containerIn(storage.work ?? storage, ...of);

/** Container of standing orders, reports and dead letters. */
export const openControlContainer: Container = ({ storage }, ...of) => containerIn(storage, ...of);

/** Container of the audit trail. */
export const openAuditTrailContainer: Container = ({ storage }, ...of) => containerIn(storage.audit ?? storage, ...of);

/** Client of all queues. */
export function openWorkQueues({ storage }: Owner, credential: () => TokenCredential): QueueServiceClient {
  return queueService(storage.work ?? storage, credential);
}

/**
 * Table of the fleet index.
 *
 * @throws when a connection string has no table endpoint
 */
export function openWorkTable({ storage }: Owner, credential: () => TokenCredential, name: string): TableClient {
  return tableIn(storage.work ?? storage, credential, name);
}

/**
 * Table of rollouts, and of uses that re-keys moved.
 *
 * @throws when a connection string has no table endpoint
 */
export function openControlTable({ storage }: Owner, credential: () => TokenCredential, name: string): TableClient {
  return tableIn(storage, credential, name);
}

function containerIn(
  storage: StorageAccount,
  credential: () => TokenCredential,
  name: string,
  retryOptions: Retries = FEW,
): ContainerClient {
  // An SDK client takes a connection string or a pipeline, never both. So this code reads the connection string with
  // the SDK.
  const service =
    'connectionString' in storage
      ? BlobServiceClient.fromConnectionString(storage.connectionString)
      : { credential: credential(), url: storage.blobUri };
  const pipeline = newPipeline(service.credential, { retryOptions });
  pipeline.factories.push(deadline('The blob service'));

  return new BlobServiceClient(service.url, pipeline).getContainerClient(name);
}

function queueService(storage: StorageAccount, credential: () => TokenCredential): QueueServiceClient {
  const read =
    'connectionString' in storage ? QueueServiceClient.fromConnectionString(storage.connectionString) : undefined;
  // biome-ignore lint/complexity/useLiteralKeys: the property is protected here but public in the blob SDK.
  const pipeline = newQueuePipeline(read ? read['credential'] : credential(), { retryOptions: FEW });
  pipeline.factories.push(deadline('The queue service'));
  return new QueueServiceClient('queueUri' in storage ? storage.queueUri : (read?.url ?? ''), pipeline);
}

/** Table client with the limits of `LIMITS.ownTables`. */
function tableIn(storage: StorageAccount, credential: () => TokenCredential, name: string): TableClient {
  const { additionalPolicies, ...limits } = callOptions(LIMITS.ownTables);
  // The SDK parses failures of Table storage, whose bodies have their own format.
  const policies = additionalPolicies.filter(({ policy }) => policy.name !== 'failureBodies');
  const clock = { policy: LEARN_TIME, position: 'perRetry' } as const;
  const options = { ...limits, additionalPolicies: [...policies, clock] };
  return 'connectionString' in storage
    ? TableClient.fromConnectionString(storage.connectionString, name, { ...options, allowInsecureConnection: true })
    : new TableClient(storage.tableUri, name, credential(), options);
}

/** A worker's first request goes to a table, so it sets the clock to the storage account's time before any decision. */
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

/**
 * The storage SDKs accept only policies of the older pipeline. This policy wraps their retries, so a single deadline
 * covers all attempts of a request.
 */
function deadline(service: string): RequestPolicyFactory {
  return {
    create: (next) => ({
      sendRequest: (request) => {
        // Behind a proxy the SDK routes requests, and reuses no tunnels.
        if (!getDefaultProxySettings()) request.agent = request.url.startsWith('https:') ? SECURE : PLAIN;
        const outer = asSignal(request.abortSignal);
        const send = (signal: AbortSignal) => {
          request.abortSignal = signal;
          return next.sendRequest(request);
        };
        const what = `${service} of the app's own storage did not answer`;
        return withDeadline(OWN_STORAGE_MS, what, send, outer);
      },
    }),
  };
}
