import type { TokenCredential } from '@azure/identity';
import {
  BlobServiceClient,
  newPipeline,
  type RequestPolicyFactory,
  type StoragePipelineOptions,
} from '@azure/storage-blob';
import { newPipeline as newQueuePipeline, QueueServiceClient } from '@azure/storage-queue';
import type { Settings } from '../settings/settings.ts';
import { DeadlineError, timeBoxed } from './deadline.ts';
import { OWN_STORAGE_MS } from './limits.ts';

type Retries = NonNullable<StoragePipelineOptions['retryOptions']>;

/** What is not answered now is tried again by whoever calls; the SDK's own retries take minutes. */
const FEW: Retries = { maxTries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 };

/** The blob service of the app's own storage, with a deadline for each request; nothing is asked of it yet. */
export function appBlobs(
  { storage }: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  retryOptions: Retries = FEW,
): BlobServiceClient {
  const signIn = 'connectionString' in storage ? fromConnectionString(storage.connectionString) : undefined;
  const pipeline = newPipeline(signIn?.credential ?? credential(), { retryOptions });
  pipeline.factories.push(deadline('The blob service'));
  return new BlobServiceClient('blobUri' in storage ? storage.blobUri : (signIn?.blobUri ?? ''), pipeline);
}

/** The queue service of the app's own storage, with a deadline for each request; nothing is asked of it yet. */
export function appQueues(
  { storage }: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  retryOptions: Retries = FEW,
): QueueServiceClient {
  const signIn = 'connectionString' in storage ? fromConnectionString(storage.connectionString) : undefined;
  const pipeline = newQueuePipeline(signIn?.credential ?? credential(), { retryOptions });
  pipeline.factories.push(deadline('The queue service'));
  return new QueueServiceClient('queueUri' in storage ? storage.queueUri : (signIn?.queueUri ?? ''), pipeline);
}

/** What the SDKs read in a connection string: they take one in the place of a pipeline, and not beside it. */
function fromConnectionString(connectionString: string): {
  readonly credential: BlobServiceClient['credential'];
  readonly blobUri: string;
  readonly queueUri: string;
} {
  const { credential, url } = BlobServiceClient.fromConnectionString(connectionString);
  return { credential, blobUri: url, queueUri: QueueServiceClient.fromConnectionString(connectionString).url };
}

/**
 * The storage SDKs take policies and HTTP clients of their old kind alone. This one stands outside their retries, and so
 * the deadline is one for all the tries of a request.
 */
function deadline(service: string): RequestPolicyFactory {
  return {
    create: (next) => ({
      sendRequest: (request) =>
        timeBoxed(
          async (signal) => {
            const outer = request.abortSignal;
            request.abortSignal = signal;
            try {
              return await next.sendRequest(request);
            } catch (error) {
              if (!signal.aborted || outer?.aborted) throw error;
              throw new DeadlineError(`${service} of the app's own storage did not answer`, OWN_STORAGE_MS);
            }
          },
          OWN_STORAGE_MS,
          request.abortSignal instanceof AbortSignal ? request.abortSignal : undefined,
        ),
    }),
  };
}
