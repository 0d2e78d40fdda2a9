import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Child, startChild } from '../support/child.ts';
import { bundleFixture, removeFixture } from './fixture.ts';

const MAIN = join(import.meta.dirname, '../../local/host/main.ts');

let appDir: string;
let child: Child | undefined;

beforeAll(async () => {
  appDir = await bundleFixture(join(import.meta.dirname, 'fixtures/process.ts'));
});
afterAll(() => removeFixture(appDir));
afterEach(async () => {
  child?.process.kill('SIGKILL');
  await child?.exit;
});

async function start(): Promise<{ url: string; child: Child }> {
  child = startChild(MAIN, ['--app', appDir], { PORT: '0' });
  const [, url = ''] = await child.says(/^host ready (http:\/\/127\.0\.0\.1:\d+)$/m);
  return { url, child };
}

it("On SIGTERM the Functions host finishes its requests and runs the app's termination hook", async () => {
  const { url, child } = await start();
  await child.says(/app started/);
  const reply = fetch(`${url}/api/slow`).then((response) => response.text());
  await child.says(/slow has begun/);
  child.process.kill('SIGTERM');
  expect(await reply).toBe('finished');
  expect(await child.exit).toBe(0);
  expect(child.output()).toMatch(/app terminated\s*$/);
});

it('The Functions host ends on an unhandled rejection, as the worker does', async () => {
  const { url, child } = await start();
  await expect(fetch(`${url}/api/reject`)).rejects.toThrow();
  expect(await child.exit).toBe(1);
  expect(child.output()).toContain('no code awaits this');
});

it('The Functions host tells what to do when its port is busy', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const port = String((server.address() as { port: number }).port);
  child = startChild(MAIN, ['--app', appDir], { PORT: port });
  expect(await child.exit).toBe(1);
  expect(child.output()).toContain(`Port ${port} is busy: set PORT to a free one.`);
  await new Promise((resolve) => server.close(resolve));
});
