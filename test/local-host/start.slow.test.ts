import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseEnv } from '../../local/run/env-file.ts';
import { type Child, startChild } from '../support/child.ts';
import { eventually } from '../support/eventually.ts';

const START = join(import.meta.dirname, '../../scripts/start.ts');
const TOKEN = join(import.meta.dirname, '../../local/token.ts');

let folder: string;
let started: Child | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'start-'));
});
afterEach(async () => {
  started?.process.kill('SIGKILL');
  await started?.exit;
  await rm(folder, { recursive: true, force: true });
});

interface Up {
  readonly url: string;
  readonly child: Child;
  readonly env: Record<string, string>;
}

async function start(): Promise<Up> {
  const child = startChild(START, ['--no-tour'], { PORT: '0', LOCAL_DIR: folder });
  started = child;
  const [, url = ''] = await child.says(/^ready (http:\/\/127\.0\.0\.1:\d+)$/m);
  return { child, url, env: parseEnv(await readFile(join(folder, 'env'), 'utf8')) };
}

const isGone = (url: string) =>
  fetch(url).then(
    () => false,
    () => true,
  );
const allGone = ({ url, env }: Up) =>
  eventually('every process has gone', async () => {
    const blobs = /BlobEndpoint=([^;]+)/.exec(env.AzureWebJobsStorage ?? '')?.[1] ?? '';
    const gone = await Promise.all([isGone(url), isGone(env.LOCAL_AZURE_CONTROL ?? ''), isGone(blobs)]);
    return gone.every(Boolean);
  });

async function token(...args: string[]): Promise<{ code: unknown; output: string }> {
  const child = startChild(TOKEN, args, { LOCAL_DIR: folder });
  return { code: await child.exit, output: child.output() };
}

describe('npm start', () => {
  it('npm start writes the environment for clients, issues tokens, and ends all its processes on SIGTERM', async () => {
    const up = await start();
    expect(up.env).toMatchObject({
      CMK_API: `${up.url}/api`,
      LOCAL_AZURE_CONTROL: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      HTTPS_PROXY: expect.any(String),
      NODE_EXTRA_CA_CERTS: expect.any(String),
      REQUESTS_CA_BUNDLE: expect.any(String),
      AZURE_TENANT_ID: expect.any(String),
      AZURE_SUBSCRIPTION_ID: expect.any(String),
      AZURE_CLIENT_ID: expect.any(String),
      AZURE_CLIENT_SECRET: expect.any(String),
      AzureWebJobsStorage: expect.stringContaining('QueueEndpoint=http://127.0.0.1:'),
      CMK_VAULTS: expect.stringContaining('/vaults/kv-files'),
    });

    expect((await stat(join(folder, 'env'))).mode & 0o777).toBe(0o600);

    const functions = (await (await fetch(`${up.url}/admin/functions`)).json()) as { name: string }[];
    expect(functions.map(({ name }) => name)).toContain('reconcileKey');

    const granted = await token('revoker');
    expect(granted).toEqual({ code: 0, output: expect.stringMatching(/^eyJ[\w-]+\.[\w-]+\.[\w-]+\n$/) });

    const unknown = await token('stranger');
    expect(unknown).toEqual({ code: 1, output: expect.stringContaining("no sign-in 'stranger'") });

    const second = startChild(START, ['--no-tour'], { PORT: '0', LOCAL_DIR: folder });
    expect(await second.exit).toBe(1);
    expect(second.output()).toContain(`A local run is up already in ${folder} (process ${up.child.process.pid}).`);
    expect(parseEnv(await readFile(join(folder, 'env'), 'utf8'))).toEqual(up.env);

    up.child.process.kill('SIGTERM');

    expect(await up.child.exit).toBe(0);

    await allGone(up);

    await expect(stat(join(folder, 'env'))).rejects.toThrow('ENOENT');
  });

  it('npm start prints the last lines of a process that dies, and stops the others', async () => {
    const up = await start();
    const { processId } = (await (await fetch(`${up.url}/admin/host/status`)).json()) as { processId: number };
    process.kill(processId, 'SIGKILL');
    expect(await up.child.exit).toBe(1);
    expect(up.child.output()).toMatch(/The Functions host was ended by SIGKILL\.\n {2}\| .*\n/);
    await allGone(up);
  });

  it('No process of a local run stays after npm start was killed', async () => {
    const up = await start();
    up.child.process.kill('SIGKILL');
    await up.child.exit;
    await allGone(up);
  });

  it('npm start stops on SIGINT while it is starting', async () => {
    const child = startChild(START, ['--no-tour'], { PORT: '0', LOCAL_DIR: folder });

    started = child;

    await eventually('it has begun', () =>
      stat(join(folder, 'pid')).then(
        () => true,
        () => false,
      ),
    );

    child.process.kill('SIGINT');

    expect(await child.exit).toBe(0);
    expect(child.output()).not.toContain('ready');
    await expect(stat(join(folder, 'pid'))).rejects.toThrow('ENOENT');
  });

  it.each([
    [['--once', '--no-tour'], '--once ends after the tour, so it needs one'],
    [['--twice'], "Unknown option '--twice'"],
  ])('npm start prints its usage for the arguments %j', async (args, message) => {
    const child = startChild(START, args, { PORT: '0', LOCAL_DIR: folder });
    expect(await child.exit).toBe(2);
    expect(child.output()).toContain(message);
    expect(child.output()).toContain('npm start [-- options]');
  });
});

describe('npm run token', () => {
  it('npm run token tells how to start a local run when none is up', async () => {
    expect(await token('revoker')).toEqual({ code: 1, output: expect.stringContaining('npm start -- --no-tour') });
  });

  it('npm run token prints its usage without a name', async () => {
    expect(await token()).toEqual({ code: 1, output: expect.stringContaining('Usage: npm run --silent token') });
  });
});
