import { access, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { QueueServiceClient } from '@azure/storage-queue';
import { afterAll, beforeAll } from 'vitest';
import type { LocalAzure, LocalAzureOptions } from '../../local/azure/server.ts';
import type { LoggedRequest } from '../../local/azure/wire/request-log.ts';
import { appEnvironment, appSettings } from '../../local/run/app-environment.ts';
import { createAppStorage } from '../../local/run/app-storage-client.ts';
import { freePort } from '../../local/run/free-port.ts';
import { bundleHost } from '../../local/run/host-bundle.ts';
import { bundle } from '../../scripts/bundle.ts';
import { useAzurite } from './azurite.ts';
import { type Child, startChild } from './child.ts';
import { eventually } from './eventually.ts';
import { stateDir, useLocalAzure } from './local-azure.ts';

export interface AppOptions extends Omit<LocalAzureOptions, 'stateDir' | 'functionsHost'> {
  /** App settings that differ from those of the local run. */
  readonly env?: Readonly<Record<string, string>> | (() => Readonly<Record<string, string>>);
  /** Prepares the local Azure before the app starts. */
  readonly prepare?: (azure: LocalAzure) => void;
}

/** A record that the app logged, with the function that did. */
export interface AppRecord {
  readonly function: string;
  readonly level: string;
  readonly reason: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** The deployed app in its Functions host, as a process of its own, between the local Azure and real queues. */
export interface App {
  readonly azure: LocalAzure;
  /** Of the Functions host. */
  readonly url: string;
  readonly connectionString: string;
  readonly queues: QueueServiceClient;
  readonly pid: number;
  /** Everything on the app's stdout and stderr since its last start. */
  output(): string;
  /** What the app has logged, over all its starts. */
  records(): AppRecord[];
  /** Ends the process without warning; `start` brings it back on the same port. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Whether the process has not ended by itself. */
  alive(): boolean;
  /** Sends an event to a function as Event Grid does; the answer's status. */
  deliver(functionName: string, event: unknown): Promise<number>;
  /** Messages in a queue, visible or not. */
  count(queue: string): Promise<number>;
  /** Resolves when no message is left in the work queues, nor in `others`. */
  settled(limitMs?: number): Promise<void>;
  /** Requests to ARM since the mark. */
  arm(since: number, about?: RegExp): LoggedRequest[];
}

/** How long a message stays hidden after the host was killed, in seconds: ten minutes in Azure. */
const LEASE_SECONDS = 4;

/** For one test file: `const app = useApp()` at the top level. */
export function useApp(options: AppOptions = {}): App {
  const { env = {}, prepare, ...azureOptions } = options;
  const azurite = useAzurite();
  let port = 0;
  const url = () => `http://127.0.0.1:${port}`;
  const local = useLocalAzure({ fleet: 'sample', ...azureOptions, functionsHost: url });
  let child: Child | undefined;
  let ended = true;
  let earlier = '';
  const running = (): Child => {
    if (!child) throw new Error('The app runs inside tests and hooks only.');
    return child;
  };

  const start = async (): Promise<void> => {
    const { app, host } = await build();
    const { PATH, HOME } = process.env;
    const settings = appSettings(azurite.connectionString, typeof env === 'function' ? env() : env);
    const caller = { PATH, HOME, LOCAL_HOST_QUEUE_LEASE_SECONDS: String(LEASE_SECONDS) };
    child = startChild(host, ['--app', app], {
      ...appEnvironment(settings, local.azure.env, caller),
      PORT: String(port),
    });
    ended = false;
    void child.exit.then(() => {
      ended = true;
    });
    await child.says(/^host ready /m, 20_000);
  };
  const kill = async (): Promise<void> => {
    if (!child) return;
    child.process.kill('SIGKILL');
    await child.exit;
    earlier += child.output();
    child = undefined;
  };

  beforeAll(async () => {
    port = await freePort(0);
    await createAppStorage(azurite.connectionString);
    prepare?.(local.azure);
    await start();
  });
  afterAll(kill);

  const queues = () => QueueServiceClient.fromConnectionString(azurite.connectionString);
  const count = async (queue: string): Promise<number> =>
    (await queues().getQueueClient(queue).getProperties()).approximateMessagesCount ?? 0;
  return {
    get azure() {
      return local.azure;
    },
    get url() {
      return url();
    },
    get connectionString() {
      return azurite.connectionString;
    },
    get queues() {
      return queues();
    },
    get pid() {
      return running().process.pid ?? 0;
    },
    output: () => running().output(),
    records: () => recordsOf(earlier + (child?.output() ?? '')),
    kill,
    start,
    alive: () => !ended,
    async deliver(functionName, event) {
      const response = await fetch(`${url()}/runtime/webhooks/eventgrid?functionName=${functionName}`, {
        method: 'POST',
        headers: { 'aeg-event-type': 'Notification', 'content-type': 'application/json' },
        body: JSON.stringify(event),
      });
      await response.body?.cancel();
      return response.status;
    },
    count,
    async settled(limitMs = 20_000) {
      await eventually(
        'the work queues are empty',
        async () => (await count('key-work')) + (await count('account-work')) === 0,
        limitMs,
      );
    },
    arm: (since, about = /./) =>
      local.azure.requests.since(since).filter(({ host, path }) => host === 'management.azure.com' && about.test(path)),
  };
}

/** The structured records among the lines of the host. */
export function recordsOf(output: string): AppRecord[] {
  return output.split('\n').flatMap((line) => {
    const match = /^\[\S+\] (\w+) (\w+)\.Invocation (\{.*\})$/.exec(line);
    const [, , name = '', json = ''] = match ?? [];
    if (!match) return [];
    try {
      return [{ function: name, ...(JSON.parse(json) as Omit<AppRecord, 'function'>) } as AppRecord];
    } catch {
      return [];
    }
  });
}

/** The app and the host, bundled once for all test files of a run. */
async function build(): Promise<{ app: string; host: string }> {
  const folder = join(stateDir(), 'built');
  const paths = (at: string) => ({ app: join(at, 'app'), host: join(at, 'host.cjs') });
  const exists = await access(folder).then(
    () => true,
    () => false,
  );
  if (exists) return paths(folder);
  const own = `${folder}-${process.pid}`;
  await Promise.all([bundle({ outDir: paths(own).app, zip: false }), bundleHost(paths(own).host)]);
  // Another test file may have been faster: then its folder is used.
  await rename(own, folder).catch(() => rm(own, { recursive: true, force: true }));
  return paths(folder);
}
