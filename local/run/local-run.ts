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
  /** Folder of the environment file, the certificates and the logs. */
  readonly stateDir: string;
  /** Port of the app; 0 uses a free one. */
  readonly port: number;
  /** The environment of the caller. */
  readonly env: NodeJS.ProcessEnv;
  /** Aborts the start. */
  readonly signal: AbortSignal;
  /** Builds the app to deploy: host.json, package.json and the `main` of that. */
  readonly bundleApp: (outDir: string) => Promise<unknown>;
  /** Module that demonstrates the app, and sends a {@link TourResult} to its parent. */
  readonly tourModule: string;
}

/** A complete run: Azurite, the local Azure, and the app in its Functions host. */
export interface LocalRun {
  /** URL of the app, whatever the number of its instances. */
  readonly url: string;
  readonly envFile: string;
  /** Rejects if a process ends unexpectedly. */
  readonly failed: Promise<never>;
  /** Runs the tour in its own process, on this terminal. */
  tour(): Promise<TourResult>;
  /** Stops every process, the app first, so that it can finish its work. */
  stop(): Promise<void>;
}

/**
 * Starts the local run. If that fails, or is aborted, it stops every process.
 *
 * @throws with the next step: the port is busy, another run uses the folder, a process did not become ready
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

/** Starts everything except the app. */
async function start(
  { env, bundleApp }: LocalRunOptions,
  port: number,
  folder: StateFolder,
  processes: Processes,
): Promise<{
  readonly app: AppInstances;
  /** The content of the environment file. */
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
    // In the run's own folder, since another run builds its own.
    bundleHost(join(folder.path, 'host.cjs')),
    bundleApp(appDir),
    // It is the front of the app's storage, and writes dead letters there, as Event Grid does.
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

/** Node options for a client: the clock of the local Azure, and no warning about Node's experimental proxy support. */
function clientOptions(env: Readonly<Record<string, string | undefined>>): string {
  return `${quietOptions(env)} --import=${new URL('./local-clock.mjs', import.meta.url).href}`;
}

/** Node options without the warning about its experimental proxy support. */
function quietOptions({ NODE_OPTIONS = '' }: Readonly<Record<string, string | undefined>>): string {
  return `${NODE_OPTIONS} --disable-warning=UNDICI-EHPA`.trim();
}
