import { afterAll, beforeAll } from 'vitest';
import type { ApiDocument } from '../support/documented.ts';
import { useWire, type Wire } from '../support/wire.ts';
import { type Answer, type Bundles, type Call, makeBundles, type RunningApp, startApp } from './running-app.ts';

interface RunningApi {
  readonly wire: Wire;
  readonly bundles: Bundles;
  readonly document: ApiDocument;
  call(path: string, options?: Call): Promise<Answer>;
  /** The process is killed, and another one started. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** For one test file, at the top level: the app as a process, on the local Azure, with the document of its API. */
export function useRunningApp(): RunningApi {
  let app: RunningApp | undefined;
  let bundles: Bundles | undefined;
  let document: ApiDocument | undefined;
  const wire = useWire({ functionsHost: () => app?.url });
  const there = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('The app is not up.');
    return value;
  };
  const call: RunningApi['call'] = (path, options) => there(app).call(path, options);
  const start = async (): Promise<void> => {
    app = await startApp(there(bundles), wire.azure, wire.connectionString);
  };
  const kill = async (): Promise<void> => {
    await app?.stop();
    app = undefined;
  };

  beforeAll(async () => {
    bundles = await makeBundles();
    await start();
    document = JSON.parse((await call('/openapi.json')).text) as ApiDocument;
  });
  afterAll(async () => {
    await kill();
    await bundles?.remove();
  });
  return {
    wire,
    get bundles() {
      return there(bundles);
    },
    get document() {
      return there(document);
    },
    call,
    kill,
    start,
  };
}
