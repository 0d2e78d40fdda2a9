import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Host, startHost } from '../../local/host/host.ts';
import type { HostLogRecord } from '../../local/host/log.ts';
import { bundleFixture, FIXTURE_APP, removeFixture } from './fixture.ts';

let appDir: string;
let host: Host | undefined;
const logs: HostLogRecord[] = [];

async function start(fixture: string, env: Record<string, string> = {}): Promise<Host> {
  appDir = await bundleFixture(join(import.meta.dirname, 'fixtures', fixture));
  host = await startHost({ appDir, port: 0, env, log: (record) => logs.push(record) });
  return host;
}

afterEach(async () => {
  await host?.stop();
  host = undefined;
  logs.length = 0;
  await removeFixture(appDir);
});

const lines = () => logs.map(({ level, category, message }) => `${level} ${category} ${message}`).join('\n');

describe('an app that throws while it loads', () => {
  it.each([
    ['before its first function', 'fails-early.ts'],
    ['after a function, which is dropped', 'fails-late.ts'],
  ])('%s leaves a host that is up without functions', async (_what, fixture) => {
    const { url, functions, failure } = await start(fixture);
    expect(functions).toEqual([]);
    expect(failure).toMatch(/Worker was unable to load entry point "start.cjs": Error: (?:before|after) the first/);
    expect(lines()).toContain('warning Host.Startup No functions found.');
    expect((await fetch(`${url}/api/registered`)).status).toBe(404);
    const status = await (await fetch(`${url}/admin/host/status`)).json();
    expect(status).toMatchObject({ state: 'Error', errors: [failure] });
  });

  it('undefined keeps its functions', async () => {
    const { url, functions, failure } = await start('throws-undefined.ts');
    expect(functions).toEqual(['registered']);
    expect(failure).toBeUndefined();
    expect(await (await fetch(`${url}/api/registered`)).text()).toBe('here');
  });
});

describe('an app that this host cannot serve is refused', () => {
  it.each([
    ['HTTP streams', 'streams.ts', {}, 'enableHttpStream'],
    ['a trigger that is not imitated', 'unserved.ts', {}, 'onBlob has a blobTrigger binding'],
    ['a missing app setting', FIXTURE_APP, {}, "'%FIXTURE_SCHEDULE%' does not resolve"],
    [
      'a missing connection',
      FIXTURE_APP,
      { FIXTURE_SCHEDULE: '* * * * * *', FIXTURE_QUEUE: 'q' },
      'AzureWebJobsStorage',
    ],
    ['a wrong schedule', FIXTURE_APP, { FIXTURE_SCHEDULE: 'daily' }, 'Schedule "daily" must have six fields'],
  ])('for %s', async (_what, fixture, env, message) => {
    await expect(start(fixture.split('/').at(-1) ?? '', env as Record<string, string>)).rejects.toThrow(message);
  });
});
