import { join } from 'node:path';
import { answerForApp } from '../azure/app-by-channel.ts';
import { appControl } from './app-control.ts';
import { appEnvironment, appSettings, baseEnvironment, LOCAL_NOTIFY } from './app-environment.ts';
import { AppInstances } from './app-instances.ts';
import { createAppStorage } from './app-storage-client.ts';
import { launchAzurite, readyJson } from './azurite-process.ts';
import { writeEnvFile } from './env-file.ts';
import { freePort } from './free-port.ts';
import { type Front, startFront } from './front.ts';
import { bundleHost } from './host-bundle.ts';
import { moduleBeside } from './module-beside.ts';
import { Processes } from './processes.ts';
import { claimStateFolder, type StateFolder } from './state-folder.ts';
import type { TourResult } from './tour-context.ts';

export interface LocalRunOptions {
  /** Where the environment file, certificates and logs go. */
  readonly stateDir: string;
  /** Of the app; 0 takes a free one. */
  readonly port: number;
  /** The environment of the caller. */
  readonly env: NodeJS.ProcessEnv;
  /** Aborts the start. */
  readonly signal: AbortSignal;
  /** Makes the deployable app: host.json, package.json and what its `main` names. */
  readonly bundleApp: (outDir: string) => Promise<unknown>;
  /** Module that shows what the app does, and sends a {@link TourResult} to the process that started it. */
  readonly tourModule: string;
}

/** Everything is up: Azurite, the local Azure, and the app in its Functions host. */
export interface LocalRun {
  /** Of the app, whatever the number of its instances. */
  readonly url: string;
  readonly envFile: string;
  /** Rejects when a process ends that should not. */
  readonly failed: Promise<never>;
  /** Runs the tour in a process of its own, on this terminal. */
  tour(): Promise<TourResult>;
  /** Stops every process, the app first, so that it can finish what it works on. */
  stop(): Promise<void>;
}

/**
 * Starts the local run. When it fails, or is aborted, nothing is left running.
 *
 * @throws with what to do: the port is busy, another run is up in the folder, a process did not become ready.
 */
export async function startLocalRun(options: LocalRunOptions): Promise<LocalRun> {
  const port = await freePort(options.port);
  const folder = await claimStateFolder(options.stateDir);
  const processes = new Processes();
  let app: AppInstances | undefined;
  let front: Front | undefined;
  const stop = async () => {
    await processes.stop();
    await front?.close();
    await folder.release();
  };

  try {
    front = await startFront(port, () => app?.list().map(({ url }) => url) ?? []);

    const aborted = new Promise<never>((_, reject) => {
      const abort = () => reject(options.signal.reason);
      if (options.signal.aborted) abort();
      options.signal.addEventListener('abort', abort, { once: true });
    });

    const begin = async () => {
      const { variables, ...started } = await start(options, port, folder, processes);
      app = started.app;
      await app.order({ do: 'start' });
      await writeEnvFile(folder.envFile, { ...variables, NODE_OPTIONS: clientOptions(options.env) });
      return variables;
    };

    const variables = await Promise.race([begin(), processes.failed, aborted]);

    return {
      url: front.url,
      envFile: folder.envFile,
      failed: processes.failed,
      tour: () => runTour(options.tourModule, processes, { ...baseEnvironment(options.env), ...variables }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts all but the app. */
async function start(
  { env, bundleApp }: LocalRunOptions,
  port: number,
  folder: StateFolder,
  processes: Processes,
): Promise<{
  readonly app: AppInstances;
  /** What the environment file says. */
  readonly variables: Record<string, string>;
}> {
  const url = `http://127.0.0.1:${port}`;
  const base = baseEnvironment(env);
  const azurite = launchAzurite((options) => processes.launch(options), {
    env: base,
    logFile: folder.logFile('azurite'),
  });
  const storageReady = azurite.connectionString.then(async (connectionString) => {
    await createAppStorage(connectionString);
    return connectionString;
  });
  const appDir = join(folder.path, 'app');
  const [host, , { azure, ready }] = await Promise.all([
    // In the run's own folder: another run beside it makes its own.
    bundleHost(join(folder.path, 'host.cjs')),
    bundleApp(appDir),
    // It stands before the app's storage, and writes dead letters into it as Event Grid does.
    storageReady.then(async (connectionString) => {
      const azure = processes.launch({
        name: 'The local Azure',
        module: moduleBeside('../azure/main', import.meta.url),
        args: ['--state-dir', folder.path, '--functions-host', url, '--app-by-parent'],
        env: { ...base, LOCAL_AZURE_STORAGE: connectionString },
        logFile: folder.logFile('azure'),
      });
      return { azure, ready: await readyJson(azure) };
    }),
  ]);

  const azureEnv = ready.env as Record<string, string>;
  const settings = appSettings(String(ready.storage), { CMK_NOTIFY: LOCAL_NOTIFY, ...env }, String(ready.signIn));
  const app = new AppInstances({
    host,
    appDir,
    env: appEnvironment(settings, azureEnv, env),
    launch: (options) => processes.launch({ ...options, stopFirst: true }),
    output: (number) => ({ logFile: folder.logFile(number === 1 ? 'functions' : `functions-${number}`) }),
  });

  const control = appControl(app, azurite.child);

  azure.answer((asked) => answerForApp(control, asked));

  const variables = {
    ...azureEnv,
    ...(ready.owner as Record<string, string>),
    ...settings,
    CMK_API: `${url}/api`,
    LOCAL_AZURE_CONTROL: String(ready.control),
  };

  return { app, variables };
}

async function runTour(tour: string, processes: Processes, env: Record<string, string>): Promise<TourResult> {
  const quiet = { ...env, NODE_OPTIONS: quietOptions(env) };
  const child = processes.launch({ name: 'The tour', module: tour, env: quiet, mayEnd: true });
  return (await child.message()) as TourResult;
}

/** Options of Node for a client: the clock of the local Azure, and no warning that its way through the proxy is experimental. */
function clientOptions(env: Readonly<Record<string, string | undefined>>): string {
  return `${quietOptions(env)} --import=${new URL('./local-clock.mjs', import.meta.url).href}`;
}

/** Options of Node with which it does not say that its way through the proxy is experimental. */
function quietOptions({ NODE_OPTIONS = '' }: Readonly<Record<string, string | undefined>>): string {
  return `${NODE_OPTIONS} --disable-warning=UNDICI-EHPA`.trim();
}
