import { TableClient } from '@azure/data-tables';
import { ManagedIdentityCredential } from '@azure/identity';
import { QueueServiceClient } from '@azure/storage-queue';
import { beforeAll, beforeEach } from 'vitest';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import { DEFAULT_SETTINGS } from '../../local/azure/create-world.ts';
import type { LocalAzureOptions } from '../../local/azure/server.ts';
import { appSettings } from '../../local/run/app-environment.ts';
import { createAppStorage } from '../../local/run/app-storage-client.ts';
import type { LogRecord } from '../../src/errors/log.ts';
import { FLEET_TABLE } from '../../src/index/fleet-table-client.ts';
import { createServices, type Services } from '../../src/services.ts';
import type { Work, WorkQueueName } from '../../src/work/messages.ts';
import { newestApiVersion } from './api-version.ts';
import { useAzurite } from './azurite.ts';
import { useLocalAzure } from './local-azure.ts';

/** A queued message, and how long it is hidden. */
export interface Sent {
  readonly queue: WorkQueueName;
  readonly work: Work;
  readonly delaySeconds: number;
}

/** The app's services on the local Azure and real queues, as the app has them, without a Functions host around. */
export type Wire = ReturnType<typeof useWire>;

interface WireOptions extends Omit<LocalAzureOptions, 'stateDir'> {
  /** Queues and the fleet index stay as they are from test to test, for an app that runs all the while. */
  readonly keepsStorage?: boolean;
}

/**
 * For one test file: `const wire = useWire()` at the top level. Queues and the fleet index are emptied before each test,
 * unless it keeps them.
 */
export function useWire({ keepsStorage = false, ...options }: WireOptions = {}) {
  const local = useLocalAzure({ fleet: 'sample', ...options });
  const azurite = useAzurite();
  const records: LogRecord[] = [];
  const sent: Sent[] = [];
  const queues = () => QueueServiceClient.fromConnectionString(azurite.connectionString);

  beforeAll(() => createAppStorage(azurite.connectionString));

  beforeEach(async () => {
    records.length = 0;
    sent.length = 0;
    local.azure.faults.clear();
    Object.assign(local.azure.world.settings, DEFAULT_SETTINGS, { instantProvisioning: true }, options.settings);
    if (keepsStorage) return;
    for await (const { name } of queues().listQueues()) await queues().getQueueClient(name).clearMessages();
    await forgetFleet(azurite.connectionString);
  });

  return {
    get azure() {
      return local.azure;
    },
    get connectionString() {
      return azurite.connectionString;
    },
    get queues() {
      return queues();
    },
    /** Everything logged in this test. */
    records,
    /** Everything that went into the work queues in this test, in order. */
    sent,
    log: (record: LogRecord) => {
      records.push(record);
    },
    /** With the app's managed identity, on the local Azure's clock; `env` changes the app settings. */
    services(env: Readonly<Record<string, string>> = {}): Services {
      const credential = new ManagedIdentityCredential({ clientId: CLIENT_IDS.appUserAssigned });
      const services = createServices({ ...appSettings(azurite.connectionString, {}), ...env }, credential);

      return {
        ...services,
        now: () => local.azure.clock.now(),
        queue: {
          ...services.queue,
          send: async (queue, work, delaySeconds = 0) => {
            await services.queue.send(queue, work, delaySeconds);
            sent.push({ queue, work, delaySeconds });
          },
        },
      };
    },
    /** What ARM was asked since the mark. */
    arm: (since: number, about = /./) =>
      local.azure.requests.since(since).filter(({ host, path }) => host === 'management.azure.com' && about.test(path)),
    /** The resource as an owner sees it, byte for byte. */
    async raw(id: string): Promise<Record<string, unknown>> {
      const owner = local.azure.world.principals.get(CLIENT_IDS.owner);
      if (!owner) throw new Error('The local tenant has no owner.');
      const { token } = local.azure.tokens.issue(owner, 'https://management.azure.com/');
      const response = await fetch(`https://management.azure.com${id}?api-version=${newestApiVersion(id)}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      return (await response.json()) as Record<string, unknown>;
    },
  };
}

/** As after a deployment: the index knows nothing. */
export async function forgetFleet(connectionString: string): Promise<void> {
  const options = { allowInsecureConnection: true };
  await TableClient.fromConnectionString(connectionString, FLEET_TABLE, options).deleteTable();
}
