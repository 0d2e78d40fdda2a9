import { QueueServiceClient } from '@azure/storage-queue';
import { afterAll, beforeAll } from 'vitest';
import type { AppControl } from '../../local/azure/app-control.ts';
import { CLIENT_IDS, CMK_API_AUDIENCE } from '../../local/azure/constants.ts';
import type { LocalAzure, LocalAzureOptions } from '../../local/azure/server.ts';
import { appControl } from '../../local/run/app-control.ts';
import { appEnvironment, appSettings } from '../../local/run/app-environment.ts';
import { AppInstances } from '../../local/run/app-instances.ts';
import { createAppStorage } from '../../local/run/app-storage-client.ts';
import { Child } from '../../local/run/child-process.ts';
import { type Front, startFront } from '../../local/run/front.ts';
import type { DriftReport } from '../../src/drift/report/report.ts';
import { createFleetTable } from '../../src/index/fleet-table-client.ts';
import { createWorkItems, type WorkKind } from '../../src/index/work-items.ts';
import { readStorageSettings } from '../../src/settings/settings.ts';
import { useAzuriteProcess } from './azurite.ts';
import { built } from './built.ts';
import { eventually } from './eventually.ts';
import { useLocalAzure } from './local-azure.ts';

/** Timers that would find what a test is about: a test that needs one enables or starts it. */
export const SELDOM = { 'AzureWebJobs.driftCheck.Disabled': 'true', 'AzureWebJobs.hsmWatch.Disabled': 'true' };

export interface AppOptions extends Omit<LocalAzureOptions, 'stateDir' | 'functionsHost' | 'app' | 'storage'> {
  /** So many processes of the app over the same queues, one to four; without it one. */
  readonly instances?: number;
  /**
   * How long a message that was worked on stays hidden after the app was killed, in seconds. Without it ten minutes, as in
   * Azure: a shorter time runs out for a process that lives, too, on a busy machine or by a clock that is moved.
   */
  readonly leaseSeconds?: number;
  /** App settings that differ from those of the local run. */
  readonly env?: Readonly<Record<string, string>> | (() => Readonly<Record<string, string>>);
  /** Prepares the local Azure, and what is in the app's storage, before the app starts. */
  readonly prepare?: (azure: LocalAzure, connectionString: string) => void | Promise<void>;
}

/** A sign-in of the local tenant. */
export type SignIn = keyof typeof CLIENT_IDS;

/** A record that the app logged, with the function that did. */
export interface AppRecord {
  readonly function: string;
  readonly level: string;
  readonly reason: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** The deployed app in its Functions hosts, as processes of their own, between the local Azure and real queues. */
export type App = ReturnType<typeof useApp>;

interface HostStatus {
  readonly functionsRunning: number;
}

/** For one test file: `const app = useApp()` at the top level. The control API's `/app` and `/clock` work too. */
export function useApp(options: AppOptions = {}) {
  const { env = {}, prepare, instances = 1, leaseSeconds, ...azureOptions } = options;
  const azurite = useAzuriteProcess();
  let front: Front | undefined;
  let control: AppControl | undefined;
  let app: AppInstances | undefined;
  const children = new Set<Child>();
  const lines: string[] = [];
  let started = 0;
  const running = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error('The app runs inside tests and hooks only.');
    return part;
  };
  const local = useLocalAzure({
    fleet: 'sample',
    ...azureOptions,
    functionsHost: () => front?.url,
    storage: () => azurite.connectionString,
    app: {
      instances: () => running(control).instances(),
      order: (order) => running(control).order(order),
      moveClock: async (offsetMs) => control?.moveClock(offsetMs),
    },
  });

  beforeAll(async () => {
    front = await startFront(0, () => app?.list().map(({ url }) => url) ?? []);
    await createAppStorage(azurite.connectionString);
    await prepare?.(local.azure, azurite.connectionString);

    const { host, app: appDir } = await built();
    const { PATH, HOME } = process.env;

    const settings = appSettings(
      local.azure.storage ?? '',
      { ...SELDOM, ...(typeof env === 'function' ? env() : env) },
      local.azure.signInUrl,
    );

    const lease = leaseSeconds === undefined ? {} : { LOCAL_HOST_QUEUE_LEASE_SECONDS: String(leaseSeconds) };

    app = new AppInstances({
      host,
      appDir,
      env: appEnvironment(settings, local.azure.env, { PATH, HOME, ...lease }),
      launch: (launched) => {
        const child = new Child(launched);
        children.add(child);
        return child;
      },
      output: () => ({ heard: (line) => lines.push(line) }),
    });

    control = appControl(app, azurite.child);
    await control.moveClock(local.azure.clock.offsetMs); // a preparation may have moved it
    await app.order({ do: 'start', instances });
  });

  afterAll(async () => {
    await app?.order({ do: 'kill' });
    await front?.close();
  });

  /** Calls the API as a sign-in of the local tenant, `path` below `/api`. */
  const call = (as: SignIn, method: string, path: string, body?: object): Promise<Response> => {
    const principal = local.azure.world.principals.get(CLIENT_IDS[as]);
    if (!principal) throw new Error(`The local tenant has no ${as}.`);
    const { token } = local.azure.tokens.issue(principal, CMK_API_AUDIENCE);
    const headers = { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) };
    const sent = body ? { body: JSON.stringify(body) } : {};
    return fetch(`${running(front).url}/api${path}`, { method, headers, ...sent });
  };

  /** Runs a drift check as an operator. On a busy machine its report comes after the answer. */
  const checkDrift = async (): Promise<DriftReport> => {
    const begun = await call('operator', 'POST', '/drift');
    if (begun.status === 200) return (await begun.json()) as DriftReport;
    if (begun.status !== 202) throw new Error(`The drift check: ${begun.status} ${await begun.text()}`);
    const { location } = (await begun.json()) as { readonly location: string };
    return eventually('the report is there', async () => {
      const answer = await call('operator', 'GET', location.replace(/^\/api/, ''));
      const report = await answer.json();
      return answer.status === 200 && (report as DriftReport);
    });
  };

  const queues = () => QueueServiceClient.fromConnectionString(azurite.connectionString);

  /** How many functions run now, over all instances. */
  const functionsRunning = async (): Promise<number> => {
    const status = async (url: string) => (await (await fetch(`${url}/admin/host/status`)).json()) as HostStatus;
    const urls = running(app)
      .list()
      .map(({ url }) => url);
    return (await Promise.all(urls.map(status))).reduce((sum, { functionsRunning: own }) => sum + own, 0);
  };

  /** Messages in a queue, visible or not. */
  const count = async (queue: string): Promise<number> =>
    (await queues().getQueueClient(queue).getProperties()).approximateMessagesCount ?? 0;
  const messages = async (): Promise<number> => (await count('key-work')) + (await count('fleet-work'));

  /** Resolves when no function runs. One that does could lose what it holds to a clock that leaps. */
  const atRest = (): Promise<unknown> => eventually('no function runs', async () => (await functionsRunning()) === 0);

  return {
    get azure() {
      return local.azure;
    },
    /** The one address before all instances. */
    get url() {
      return running(front).url;
    },
    /** Of the app's storage itself: what tests ask meets no fault. */
    get connectionString() {
      return azurite.connectionString;
    },
    get queues() {
      return queues();
    },
    /** Of the first instance that is up. */
    get pid() {
      return running(app).list()[0]?.pid ?? 0;
    },
    /** Everything on the app's stdout and stderr since its last start. */
    output: () => lines.slice(started).join('\n'),
    /** What the app has logged, over all its starts. */
    records: () => recordsOf(lines),
    /** Ends all processes, without warning. */
    async kill(): Promise<void> {
      await running(app).order({ do: 'kill' });
    },
    /** Starts what is missing to as many as there were. */
    async start(): Promise<void> {
      started = lines.length;
      await running(app).order({ do: 'start' });
    },
    /** Whether no process has ended by itself. */
    alive: () => [...children].every((child) => child.stopping || !child.hasEnded),
    running: functionsRunning,
    /** Moves the time of day of the local Azure, of the app and of its storage forward. */
    advance: (ms: number): Promise<void> => local.azure.clock.advance(ms),
    atRest,
    /** Sends an event to a function as Event Grid does; the answer's status. */
    async deliver(functionName: string, event: unknown): Promise<number> {
      const response = await fetch(`${running(front).url}/runtime/webhooks/eventgrid?functionName=${functionName}`, {
        method: 'POST',
        headers: { 'aeg-event-type': 'Notification', 'content-type': 'application/json' },
        body: JSON.stringify(event),
      });
      await response.body?.cancel();
      return response.status;
    },
    call,
    checkDrift,
    /** Has the app find the accounts that were added since its start without an event, as the hourly check does. */
    async found(): Promise<void> {
      await checkDrift();
      const isListing = async () => (await kindsOfWork(azurite.connectionString)).some((kind) => kind === 'list');
      await eventually('the accounts are listed', async () => !(await isListing()));
      await atRest();
    },
    count,
    /** Messages in the work queues, visible or not, and work items of all kinds but one, due or not. */
    left: async (except?: WorkKind) =>
      (await messages()) + (await kindsOfWork(azurite.connectionString)).filter((kind) => kind !== except).length,
    /** Resolves when no message is left in the work queues. */
    settled: () => eventually('the work queues are empty', async () => (await messages()) === 0),
    /** Resolves when the lists of the first start have ended. What they move has them as its cause, and they log their end. */
    listed: () =>
      eventually('every subscription is listed', () => {
        const passes = recordsOf(lines).filter(({ reason }) => reason === 'PassDone');
        return new Set(passes.map(({ subscription }) => subscription)).size === local.azure.world.subscriptions.size;
      }),
    /** Waits for `probe`, and moves the clock whenever no function runs: leases expire and sweeps come within seconds. */
    async inTime(what: string, probe: () => boolean | Promise<boolean>): Promise<void> {
      await eventually(what, async () => {
        if ((await functionsRunning()) === 0) await local.azure.clock.advance(10_000);
        return probe();
      });
    },
    /** Requests to ARM since the mark. */
    arm: (since: number, about = /./) =>
      local.azure.requests.since(since).filter(({ host, path }) => host === 'management.azure.com' && about.test(path)),
  };
}

/** The structured records among the lines of the hosts. */
export function recordsOf(lines: readonly string[]): AppRecord[] {
  return lines.flatMap((line) => {
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

/** The kind of each work item, due or not. */
async function kindsOfWork(connectionString: string): Promise<WorkKind[]> {
  const settings = readStorageSettings({ AzureWebJobsStorage: connectionString });
  const table = createFleetTable(settings, () => {
    throw new Error('A connection string needs no sign-in.');
  });
  const kinds: WorkKind[] = [];
  for await (const { kind } of createWorkItems(table).all()) kinds.push(kind);
  return kinds;
}
