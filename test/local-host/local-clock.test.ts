import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';

const AHEAD_MS = 600_000;
const server = createServer((_request, response) => {
  response.end(JSON.stringify({ now: new Date(Date.now() + AHEAD_MS).toISOString() }));
});

afterAll(() => {
  server.close();
});

const preload = (name: string) => ['--import', new URL(`../../local/run/${name}`, import.meta.url).href];

/** Milliseconds by which a client's time is ahead of this process's. */
async function ahead(control: string): Promise<number> {
  const program = [...preload('local-clock.mjs'), '-p', '+new Date()'];
  const { stdout } = await promisify(execFile)(process.execPath, program, { env: { LOCAL_AZURE_CONTROL: control } });
  return Number(stdout) - Date.now();
}

it('A client of the local run has the time of the local Azure, or its own if that does not answer', async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await ahead(`http://127.0.0.1:${port}`)).toBeGreaterThan(AHEAD_MS - 60_000);
  expect(await ahead('http://127.0.0.1:1')).toBeLessThanOrEqual(0);
});

it('A child process dates its answers by the clock that was moved', async () => {
  const program = `
    const server = require('node:http').createServer((request, response) => response.writeHead(404).end());
    server.listen(0, '127.0.0.1', async () => {
      const { headers } = await fetch('http://127.0.0.1:' + server.address().port);
      console.log(headers.get('date'));
      server.close();
    });`;

  const env = { LOCAL_CLOCK_OFFSET_MS: String(AHEAD_MS) };
  const { stdout } = await promisify(execFile)(process.execPath, [...preload('movable-clock.ts'), '-e', program], {
    env,
  });

  expect(Date.parse(stdout) - Date.now()).toBeGreaterThan(AHEAD_MS - 60_000);
});
