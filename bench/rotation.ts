import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { QueueServiceClient } from '@azure/storage-queue';
import { subscribeApp } from '../local/azure/app-setup.ts';
import { benchFleet } from '../local/azure/bench-fleet.ts';
import { addResourceGroup } from '../local/azure/fleet.ts';
import { rotateKey } from '../local/azure/key-vault/keys.ts';
import { startLocalAzure } from '../local/azure/server.ts';
import { appEnvironment, appSettings } from '../local/run/app-environment.ts';
import { createAppStorage } from '../local/run/app-storage-client.ts';
import { startAzurite } from '../local/run/azurite.ts';
import { freePort } from '../local/run/free-port.ts';
import { bundleHost } from '../local/run/host-bundle.ts';
import { bundle } from '../scripts/bundle.ts';
import { READS_PER_ACCOUNT } from '../src/accounts/dispatcher.ts';
import { AppProcess } from './app-process.ts';
import { budgetSeconds, type Share } from './budget.ts';

export interface RotationOptions {
  readonly accounts?: number;
  readonly subscriptions?: number;
  readonly regions?: readonly string[];
  /** Kills the app without warning when half of the accounts have moved, and starts it again. */
  readonly killHalfway?: boolean;
}

export interface RotationBench {
  readonly accounts: number;
  /** From the rotation in Key Vault (which raises the event) to the PATCH of the last account. */
  readonly seconds: number;
  /** What the documented budgets need at the least for what is needed: an account costs two reads and one write. */
  readonly leastSeconds: number;
  readonly requestsPerAccount: number;
  readonly patches: number;
  /** Requests that were refused for throttling. */
  readonly throttled: number;
  readonly peakMiB: number | undefined;
  /** Messages that ended in the poison queues. */
  readonly poisoned: number;
}

const LIMIT_MS = 180_000;
/** How long a message stays hidden after the app was killed; ten minutes in Azure. */
const LEASE_SECONDS = 5;

/** Rotates one key that many accounts depend on, and watches until the last one has moved. */
export async function benchRotation(options: RotationOptions = {}): Promise<RotationBench> {
  const { accounts: size = 500, subscriptions = 2, regions = ['westeurope', 'northeurope', 'uksouth'] } = options;
  const folder = await mkdtemp(join(tmpdir(), 'cmk-bench-'));
  const port = await freePort(0);
  const azure = await startLocalAzure({
    stateDir: folder,
    functionsHost: () => `http://127.0.0.1:${port}`,
    fleet: 'empty',
    settings: { throttle: true },
  });
  const azurite = await startAzurite();
  let app: AppProcess | undefined;
  try {
    const { world } = azure;
    const { vault, keyName, accounts } = benchFleet(world, { accounts: size, subscriptions, regions });
    const [first] = world.subscriptions.values();
    if (first) subscribeApp(world, vault, addResourceGroup(world, first, 'rg-cmk'));
    await createAppStorage(azurite.connectionString);
    const [built, host] = await Promise.all([
      bundle({ outDir: join(folder, 'app'), zip: false }),
      bundleHost(join(folder, 'host.cjs')),
    ]);
    const settings = { ...appSettings(azurite.connectionString, {}), CMK_VAULTS: vault.id };
    const caller = { ...process.env, LOCAL_HOST_QUEUE_LEASE_SECONDS: String(LEASE_SECONDS) };
    const env = { ...appEnvironment(settings, azure.env, caller), PORT: String(port), NODE_NO_WARNINGS: '1' };
    const start = async () => {
      app = new AppProcess(host, built.folder, env);
      await app.ready();
      return app;
    };
    app = await start();
    let peakMiB = 0;

    const since = azure.requests.last;
    const started = performance.now();
    const next = rotateKey(world, vault, keyName);
    const moved = () => accounts.filter(({ encryption }) => encryption.keyvaultproperties?.keyversion === next.version);
    let killed = options.killHalfway !== true;
    while (moved().length < size) {
      if (performance.now() - started > LIMIT_MS)
        throw new Error(`${moved().length} of ${size} moved in ${LIMIT_MS} ms.`);
      if (!killed && moved().length >= size / 2) {
        killed = true;
        await app.kill();
        peakMiB = app.peakMiB() ?? 0;
        app = await start();
      }
      await sleep(10);
    }
    const seconds = (performance.now() - started) / 1000;
    const queues = QueueServiceClient.fromConnectionString(azurite.connectionString);
    const count = async (name: string) =>
      (await queues.getQueueClient(name).getProperties()).approximateMessagesCount ?? 0;
    while ((await count('account-work')) + (await count('key-work')) > 0) await sleep(50);

    const arm = azure.requests.since(since).filter(({ host: asked }) => asked === 'management.azure.com');
    const shares: Share[] = [...world.subscriptions.keys()].map((id) => ({
      accounts: Object.fromEntries(
        regions.map((region) => [
          region,
          accounts.filter((account) => account.id.startsWith(`/subscriptions/${id}/`) && account.location === region)
            .length,
        ]),
      ),
      lists: 1,
    }));
    return {
      accounts: size,
      seconds,
      leastSeconds: budgetSeconds(shares, READS_PER_ACCOUNT),
      requestsPerAccount: azure.requests.since(since).length / size,
      patches: arm.filter(({ method, status }) => method === 'PATCH' && status === 200).length,
      throttled: azure.requests.since(since).filter(({ status }) => status === 429).length,
      peakMiB: app.peakMiB() === undefined ? undefined : Math.max(peakMiB, app.peakMiB() ?? 0),
      poisoned: (await count('account-work-poison')) + (await count('key-work-poison')),
    };
  } finally {
    await app?.kill();
    await azurite.stop();
    await azure.close();
    await rm(folder, { recursive: true, force: true });
  }
}
