import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { type Host, startHost } from '../../local/host/host.ts';
import type { HostLogRecord } from '../../local/host/log.ts';
import { bundle } from '../../scripts/bundle.ts';

export type Handlers = Record<string, (...args: never[]) => unknown>;

export interface Fixture {
  readonly url: string;
  readonly host: Host;
  readonly logs: HostLogRecord[];
  /** What the functions of the fixture do, by name; forgotten after each test. */
  handlers: Handlers;
}

export interface FixtureOptions {
  /** Default: the fixture app. */
  readonly entry?: string;
  readonly hostJson?: Record<string, unknown>;
  /** Asked when the host starts, so that it can name an Azurite of the same file. */
  readonly env?: () => Record<string, string>;
  readonly queueLeaseMs?: number;
}

/** Nothing listens there: a host whose queues do not matter to the test. */
const NO_STORAGE =
  'DefaultEndpointsProtocol=http;AccountName=none;AccountKey=AAAA;QueueEndpoint=http://127.0.0.1:9/none;BlobEndpoint=http://127.0.0.1:9/none';

export const FIXTURE_APP = join(import.meta.dirname, 'fixtures/app.ts');

/** A folder of its own, as it would be deployed. */
export async function bundleFixture(entry = FIXTURE_APP, hostJson: Record<string, unknown> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'local-host-'));
  const settings = join(folder, 'host-settings.json');
  await writeFile(settings, JSON.stringify({ version: '2.0', ...hostJson }));
  await bundle({ entry, outDir: join(folder, 'app'), hostJson: settings, zip: false });
  return join(folder, 'app');
}

export async function removeFixture(appDir: string): Promise<void> {
  await rm(join(appDir, '..'), { recursive: true, force: true });
}

/** The host with the fixture app, for the tests of one file. */
export function useHost(options: FixtureOptions = {}): Fixture {
  let appDir: string | undefined;
  let host: Host | undefined;
  const logs: HostLogRecord[] = [];
  const shared = globalThis as { fixtureHandlers?: Handlers };

  beforeAll(async () => {
    appDir = await bundleFixture(options.entry, options.hostJson);
    host = await startHost({
      appDir,
      port: 0,
      env: {
        AzureWebJobsStorage: NO_STORAGE,
        FIXTURE_QUEUE: 'fixture-in',
        FIXTURE_SCHEDULE: '0 0 0 1 1 *',
        ...options.env?.(),
      },
      log: (record) => logs.push(record),
      ...(options.queueLeaseMs === undefined ? {} : { queueLeaseMs: options.queueLeaseMs }),
    });
  });

  afterEach(() => {
    shared.fixtureHandlers = {};
    logs.length = 0;
  });
  afterAll(async () => {
    await host?.stop(2_000);
    if (appDir) await removeFixture(appDir);
  });

  const running = () => {
    if (!host) throw new Error('The host runs inside tests and hooks only.');
    return host;
  };

  return {
    get host() {
      return running();
    },
    get url() {
      return running().url;
    },
    logs,
    get handlers() {
      return shared.fixtureHandlers ?? {};
    },
    set handlers(handlers) {
      shared.fixtureHandlers = handlers;
    },
  };
}
