import type { QueueClient, QueueServiceClient } from '@azure/storage-queue';

/** Opens queues by connection string. Loads the SDK on first use, so that an app without queues does not need it. */
export class QueueServices {
  readonly #services = new Map<string, Promise<QueueServiceClient>>();

  async queue(connectionString: string, name: string): Promise<QueueClient> {
    let service = this.#services.get(connectionString);
    if (!service) {
      service = connect(connectionString);
      this.#services.set(connectionString, service);
    }
    return (await service).getQueueClient(name);
  }
}

async function connect(connectionString: string): Promise<QueueServiceClient> {
  const { QueueServiceClient } = await import('@azure/storage-queue');
  // Few retries, since the next poll comes anyway.
  return QueueServiceClient.fromConnectionString(connectionString, {
    retryOptions: { maxTries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 1000 },
  });
}

/** The error code of the queue service, such as `QueueNotFound`; undefined for any other error. */
export function queueErrorCode(error: unknown): string | undefined {
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown };
  return typeof statusCode === 'number' && typeof code === 'string' ? code : undefined;
}
