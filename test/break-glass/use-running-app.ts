import { afterAll, beforeAll } from 'vitest';
import type { ApiDocument } from '../support/documented.ts';
import { useWire, type Wire } from '../support/wire.ts';
import { type Answer, type Call, type RunningApp, startApp } from './running-app.ts';

/** Starts an app; a setting that is `undefined` is not there at all. */
type StartApp = (
  settings?: Readonly<Record<string, string | undefined>>,
  connectionString?: string,
) => Promise<RunningApp>;

/** For one test file, at the top level: apps as processes, on the local Azure. Those that still run are ended with the file. */
export function useApps(wire: Wire): StartApp {
  const apps: RunningApp[] = [];
  afterAll(async () => {
    for (const app of apps) await app.stop();
  });
  return async (settings = {}, connectionString = wire.connectionString) => {
    const app = await startApp(wire.azure, connectionString, settings);
    apps.push(app);
    return app;
  };
}

interface RunningApi {
  readonly wire: Wire;
  readonly document: ApiDocument;
  call(path: string, options?: Call): Promise<Answer>;
  /** Everything on stdout and stderr of the process that is up. */
  output(): string;
  /** The process is killed, and another one started. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Another app beside it, with settings of its own. */
  readonly startBeside: StartApp;
}

/**
 * For one test file, at the top level: the app as a process, on the local Azure, with the document of its API.
 *
 * @param options.keepsStorage queues and the fleet index stay as they are from test to test: for tests that wait for the
 *   app to move accounts, which it does not do for a while after they are deleted under it
 */
export function useRunningApp({ keepsStorage = false } = {}): RunningApi {
  let app: RunningApp | undefined;
  let document: ApiDocument | undefined;
  const wire = useWire({ functionsHost: () => app?.url, keepsStorage });
  const startBeside = useApps(wire);
  const call: RunningApi['call'] = (path, options) => there(app).call(path, options);
  const start = async (): Promise<void> => {
    app = await startBeside();
  };
  const kill = async (): Promise<void> => {
    await app?.stop();
    app = undefined;
  };

  beforeAll(async () => {
    await start();
    document = JSON.parse((await call('/openapi.json')).text) as ApiDocument;
  });

  return {
    wire,
    get document() {
      return there(document);
    },
    call,
    output: () => there(app).output(),
    kill,
    start,
    startBeside,
  };
}

function there<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The app is not up.');
  return value;
}
