import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../../scripts/bundle.ts';
import { appEnvironment, appSettings, baseEnvironment } from './app-environment.ts';
import { createAppStorage } from './app-storage-client.ts';
import { Child, type ChildOptions } from './child-process.ts';
import { writeEnvFile } from './env-file.ts';
import { freePort } from './free-port.ts';
import { bundleHost } from './host-bundle.ts';
import { claimStateFolder, type StateFolder } from './state-folder.ts';
import type { TourResult } from './tour-context.ts';

export interface LocalRunOptions {
  /** Where the environment file, certificates and logs go. */
  readonly stateDir: string;
  /** Of the Functions host; 0 takes a free one. */
  readonly port: number;
  /** The environment of the caller. */
  readonly env: NodeJS.ProcessEnv;
  /** Aborts the start. */
  readonly signal: AbortSignal;
}

/** Everything is up: Azurite, the local Azure, and the app in its Functions host. */
export interface LocalRun {
  /** Of the Functions host. */
  readonly url: string;
  readonly envFile: string;
  /** Rejects when a process ends that should not. */
  readonly failed: Promise<never>;
  /** Runs the tour in a process of its own, on this terminal. */
  tour(): Promise<TourResult>;
  /** Stops every process, the app first, so that it can finish what it works on. */
  stop(): Promise<void>;
}

const module = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Starts the local run. When it fails, or is aborted, nothing is left running.
 *
 * @throws with what to do: the port is busy, another run is up in the folder, a process did not become ready.
 */
export async function startLocalRun(options: LocalRunOptions): Promise<LocalRun> {
  const port = await freePort(options.port);
  const folder = await claimStateFolder(options.stateDir);
  const processes = new Processes();
  const stop = async () => {
    await processes.stop();
    await folder.release();
  };
  try {
    const aborted = new Promise<never>((_, reject) => {
      const abort = () => reject(options.signal.reason);
      if (options.signal.aborted) abort();
      options.signal.addEventListener('abort', abort, { once: true });
    });
    const variables = await Promise.race([start(options, port, folder, processes), processes.failed, aborted]);
    return {
      url: `http://127.0.0.1:${port}`,
      envFile: folder.envFile,
      failed: processes.failed,
      tour: () => runTour(processes, { ...baseEnvironment(options.env), ...variables }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @returns what the environment file says */
async function start(
  { env }: LocalRunOptions,
  port: number,
  folder: StateFolder,
  processes: Processes,
): Promise<Record<string, string>> {
  const url = `http://127.0.0.1:${port}`;
  const base = baseEnvironment(env);
  const azurite = processes.launch({
    name: 'Azurite',
    module: module('./azurite-main.ts'),
    env: base,
    logFile: folder.logFile('azurite'),
  });
  const storageReady = readyJson(azurite).then(async ({ connectionString }) => {
    await createAppStorage(String(connectionString));
    return String(connectionString);
  });
  const [app, host, storage, cloud] = await Promise.all([
    // In the run's own folder: another run beside it makes its own.
    bundle({ outDir: join(folder.path, 'app'), zip: false }),
    bundleHost(join(folder.path, 'host.cjs')),
    storageReady,
    // It writes dead letters into the app's storage, as Event Grid does.
    storageReady.then((connectionString) =>
      readyJson(
        processes.launch({
          name: 'The local Azure',
          module: module('../azure/main.ts'),
          args: ['--state-dir', folder.path, '--functions-host', url],
          env: { ...base, LOCAL_AZURE_DEAD_LETTER_STORAGE: connectionString },
          logFile: folder.logFile('azure'),
        }),
      ),
    ),
  ]);
  const azureEnv = cloud.env as Record<string, string>;
  const settings = appSettings(storage, env);

  const functions = processes.launch({
    name: 'The Functions host',
    module: host,
    args: ['--app', app.folder],
    env: { ...appEnvironment(settings, azureEnv, env), PORT: String(port) },
    logFile: folder.logFile('functions'),
    stopFirst: true,
  });
  await functions.says(/^host ready /);
  const status = (await (await fetch(`${url}/admin/host/status`)).json()) as { state: string; errors: string[] };
  if (status.state !== 'Running') throw functions.failure(`could not load the app: ${status.errors.join('; ')}`);

  const variables = {
    ...azureEnv,
    ...(cloud.owner as Record<string, string>),
    ...settings,
    CMK_API: `${url}/api`,
    LOCAL_AZURE_CONTROL: String(cloud.control),
  };
  await writeEnvFile(folder.envFile, variables);
  return variables;
}

/** The line of JSON that a process prints when it is ready. */
async function readyJson(child: Child): Promise<Record<string, unknown>> {
  const [line] = await child.says(/^\{.*\}$/);
  return JSON.parse(line) as Record<string, unknown>;
}

async function runTour(processes: Processes, env: Record<string, string>): Promise<TourResult> {
  // On the user's terminal it is of no use that Node's way through the proxy is called experimental.
  const quiet = { ...env, NODE_OPTIONS: `${env.NODE_OPTIONS ?? ''} --disable-warning=UNDICI-EHPA`.trim() };
  const child = processes.launch({ name: 'The tour', module: module('./tour-main.ts'), env: quiet, mayEnd: true });
  return (await child.message()) as TourResult;
}

interface LaunchOptions extends ChildOptions {
  /** Its end is no failure of the run. */
  readonly mayEnd?: boolean;
  /** It stops before the others do, because it needs them. */
  readonly stopFirst?: boolean;
}

/** The processes of one run, which stand and fall together. */
class Processes {
  readonly #first: Child[] = [];
  readonly #others: Child[] = [];
  readonly failed: Promise<never>;
  #fail: (error: Error) => void = () => undefined;
  #stopped = false;

  constructor() {
    this.failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => undefined); // whoever waits for it hears of it
  }

  launch(options: LaunchOptions): Child {
    if (this.#stopped) throw new Error(`${options.name} is not started: the run is being stopped.`);
    const child = new Child(options);
    (options.stopFirst || options.mayEnd ? this.#first : this.#others).push(child);
    void child.ended.then(() => {
      if (!child.stopping && !options.mayEnd) this.#fail(child.failure());
    });
    return child;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#first.map((child) => child.stop()));
    await Promise.all(this.#others.map((child) => child.stop()));
  }
}
