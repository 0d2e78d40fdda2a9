import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TableClient } from '@azure/data-tables';
import { QueueServiceClient } from '@azure/storage-queue';
import type { AppControl } from '../local/azure/app-control.ts';
import { CLIENT_IDS, CMK_API_AUDIENCE } from '../local/azure/constants.ts';
import { type LocalAzure, startLocalAzure } from '../local/azure/server.ts';
import type { WorldSettings } from '../local/azure/world.ts';
import { appControl } from '../local/run/app-control.ts';
import { appEnvironment, appSettings } from '../local/run/app-environment.ts';
import { AppInstances } from '../local/run/app-instances.ts';
import { createAppStorage } from '../local/run/app-storage-client.ts';
import { launchAzurite } from '../local/run/azurite-process.ts';
import { Child } from '../local/run/child-process.ts';
import { startFront } from '../local/run/front.ts';
import { bundleHost, bundlePreload } from '../local/run/host-bundle.ts';
import { bundle } from '../scripts/bundle.ts';
import { countRequests, type Requests } from './requests.ts';

/**
 * V8 lets its heap grow to half of the memory of an instance, and collects garbage accordingly late; the deployed
 * instance has 2,048 MB (infra: `instanceMemoryMB`), whatever this machine has. The code cache is made with the same: V8
 * takes none that was made with other options, and what it compiles instead is 15 MiB that a deployed app does not have.
 */
const V8_OPTIONS = ['--max-old-space-size=1024'];
/** How long a message stays hidden after the app was killed; ten minutes in Azure. */
const LEASE_SECONDS = 5;
/** Nothing is done, and nothing is due, for so long before the clock is moved; then by so much at a time. Milliseconds. */
const QUIET_MS = 1_500;
const STEP_MS = 10_000;
/** Timers of the host read the moved clock within this time. */
const TIMERS_MS = 150;
const QUEUES = ['key-work', 'fleet-work'] as const;

export interface RigOptions {
  readonly instances?: number;
  /** App settings that differ from those of the local run. */
  readonly env?: Readonly<Record<string, string>>;
  readonly settings?: Partial<WorldSettings>;
}

/** The deployed app in its Functions hosts, between the local Azure with its budgets on, and real queues. */
export interface Rig {
  readonly azure: LocalAzure;
  /** The app's address. */
  readonly url: string;
  /** Starts the app, as many instances as there are to be. */
  start(env: Readonly<Record<string, string>>): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
  /**
   * Requests since the app was started.
   *
   * @param before of Azure only those before this time: ISO 8601, on the local Azure's clock
   */
  requests(before?: string): Requests;
  /** Seconds on the local Azure's clock since it was made: real time, and what was skipped. */
  seconds(): number;
  /** So many of these were skipped. */
  skipped(): number;
  /** Waits until `done`. While the app only waits for a time to come, and that is seen, the clock is moved there. */
  until(done: () => boolean | Promise<boolean>, limitSeconds: number): Promise<void>;
  /** Messages in a queue, hidden ones too. */
  count(queue: string): Promise<number>;
  empty(): Promise<boolean>;
  /** The most memory (resident set) that an instance has had so far, in MiB; undefined where the system does not tell. */
  peakMiB(): number | undefined;
  /** An operator's header for the app's API. */
  authorization(): string;
}

/** App, host and preload: bundled once for all shapes. */
let built: ReturnType<typeof build> | undefined;

async function build() {
  const folder = await mkdtemp(join(tmpdir(), 'cmk-bench-built-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return Promise.all([
    bundle({ outDir: join(folder, 'app'), zip: false, v8Options: V8_OPTIONS }),
    bundleHost(join(folder, 'host.cjs')),
    bundlePreload(join(folder, 'preload.mjs')),
  ]);
}

/** Sets everything up but the app, and takes it down again. */
export async function withRig<T>(options: RigOptions, use: (rig: Rig) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'cmk-bench-'));
  const children: Child[] = [];
  const launch = (launched: ConstructorParameters<typeof Child>[0]): Child => {
    const child = new Child(launched);
    children.push(child);
    return child;
  };

  const { PATH = '', HOME = '' } = process.env;
  const azurite = launchAzurite(launch, { env: { PATH, HOME }, heard: () => undefined });
  let app: AppInstances | undefined;
  let control: AppControl | undefined;
  const front = await startFront(0, () => app?.list().map(({ url }) => url) ?? []);
  const connectionString = await azurite.connectionString;
  const azure = await startLocalAzure({
    stateDir: folder,
    fleet: 'empty',
    functionsHost: () => front.url,
    storage: connectionString,
    settings: { throttle: true, ...options.settings },
    app: {
      instances: async () => app?.list() ?? [],
      order: async () => [],
      moveClock: async (offsetMs) => control?.moveClock(offsetMs),
    },
  });

  try {
    await createAppStorage(connectionString);
    built ??= build();

    const [{ folder: appDir }, host, preload] = await built;
    const makeApp = (settings: Readonly<Record<string, string>>): AppInstances => {
      const own = { ...appSettings(azure.storage ?? '', {}), ...options.env, ...settings };
      const caller = { PATH, HOME, LOCAL_HOST_QUEUE_LEASE_SECONDS: String(LEASE_SECONDS) };
      const env = appEnvironment(own, azure.env, caller);
      const node = [env.NODE_OPTIONS ?? '', ...V8_OPTIONS].join(' ').trim();

      return new AppInstances({
        host,
        appDir,
        env: { ...env, NODE_OPTIONS: node, NODE_NO_WARNINGS: '1' },
        launch: (launched) => launch({ ...launched, preload }),
        output: () => ({ heard: () => undefined }),
      });
    };

    const peaks = new Map<number, number>();
    const instances = options.instances ?? 1;
    let from = { azure: 0, storage: 0 };
    const clockFrom = azure.clock.nowMs();
    const queues = QueueServiceClient.fromConnectionString(connectionString);
    const count = async (name: string): Promise<number> =>
      (await queues.getQueueClient(name).getProperties()).approximateMessagesCount ?? 0;

    const peak = (): number | undefined => {
      for (const { pid } of app?.list() ?? []) peaks.set(pid, Math.max(peaks.get(pid) ?? 0, highWater(pid)));
      const most = Math.max(0, ...peaks.values());
      return most === 0 ? undefined : most;
    };

    let hiddenUntil = 0;
    const isQuiet = async (): Promise<boolean> => {
      // The queue hides a killed instance's message by its own clock, which is not moved.
      if (performance.now() < hiddenUntil) return false;

      for (const { url } of app?.list() ?? []) {
        const status = (await (await fetch(`${url}/admin/host/status`)).json()) as { functionsRunning: number };
        if (status.functionsRunning > 0) return false;
      }

      for (const name of QUEUES) {
        const { peekedMessageItems } = await queues.getQueueClient(name).peekMessages();
        if (peekedMessageItems.length > 0) return false;
      }

      return true;
    };

    const authorization = (): string => {
      const operator = azure.world.principals.get(CLIENT_IDS.operator);
      if (!operator) throw new Error('The local tenant has no operator.');
      return `Bearer ${azure.tokens.issue(operator, CMK_API_AUDIENCE).token}`;
    };

    const empty = async (): Promise<boolean> => (await count('key-work')) + (await count('fleet-work')) === 0;
    const fleet = TableClient.fromConnectionString(connectionString, 'cmkfleet', { allowInsecureConnection: true });

    /** Every subscription was listed, with what came of it. */
    const isIndexBuilt = async (): Promise<boolean> => {
      let listed = 0;
      const queryOptions = { filter: "PartitionKey eq 'listings'", select: ['RowKey'] };
      for await (const _ of fleet.listEntities({ queryOptions })) listed += 1;
      return listed >= azure.world.subscriptions.size && (await empty());
    };

    const storage = countRequests(azure);

    return await use({
      azure,
      url: front.url,
      async start(env) {
        app = makeApp(env);
        control = appControl(app, azurite.child);
        await app.order({ do: 'start', instances });
        // What the app lists at its first start is no part of what is measured.
        while (!(await isIndexBuilt().catch(() => false))) await sleep(500);
        from = { azure: azure.requests.last, storage: azure.storageRequests.last };
        storage.begin();
      },
      async kill() {
        peak();
        await app?.order({ do: 'kill' });
        hiddenUntil = performance.now() + LEASE_SECONDS * 1000;
      },
      async restart() {
        await app?.order({ do: 'start', instances });
      },
      requests: (before) => storage.since(from.azure, before),
      seconds: () => (azure.clock.nowMs() - clockFrom) / 1000,
      skipped: () => azure.clock.offsetMs / 1000,
      async until(done, limitSeconds) {
        const end = azure.clock.nowMs() + limitSeconds * 1000;
        let quietSince: number | undefined;
        let moved = false;

        while (!(await done())) {
          if (azure.clock.nowMs() > end) throw new Error(`It was not done within ${limitSeconds} s.`);
          if (!(await isQuiet())) [quietSince, moved] = [undefined, false];
          else quietSince ??= performance.now();

          if (quietSince !== undefined && (moved || performance.now() - quietSince > QUIET_MS)) {
            moved = true;
            await azure.clock.advance(STEP_MS);
            await sleep(TIMERS_MS);
          } else {
            await sleep(20);
          }

          storage.look();
        }
      },
      count,
      empty,
      peakMiB: peak,
      authorization,
    });
  } finally {
    await app?.order({ do: 'kill' });
    await Promise.all(children.map((child) => child.kill()));
    await front.close();
    await azure.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function highWater(pid: number): number {
  try {
    const [, kib = '0'] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kib) / 1024;
  } catch {
    return 0; // not Linux, or the process has gone
  }
}
