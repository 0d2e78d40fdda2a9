import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { useChromium } from './chromium.ts';
import { axeFinds } from './page-session.ts';

// The documentation site, as `npm run docs` builds it.

const PROJECT = join(import.meta.dirname, '../..');
const SITE = join(PROJECT, 'dist/site');
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.png': 'image/png',
};

let server: Server;
let url: string;
const chromium = useChromium();

function fileOf(pathname: string): string {
  if (pathname.endsWith('/')) return `${pathname}index.html`;
  return extname(pathname) ? pathname : `${pathname}.html`;
}

beforeAll(async () => {
  const vitepress = join(PROJECT, 'node_modules/vitepress/bin/vitepress.js');
  const built = spawnSync(process.execPath, [vitepress, 'build', 'docs'], {
    cwd: PROJECT,
    encoding: 'utf8',
    env: { ...process.env, NODE_ENV: 'production' },
  });

  expect(`${built.stdout}${built.stderr}`).not.toMatch(/warn|error|\(!\)/i);
  expect(built.status).toBe(0);

  server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const file = fileOf(pathname);
    const body = await readFile(join(SITE, file)).catch(() => undefined);
    response.writeHead(body ? 200 : 404, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
    response.end(body);
  }).listen(0, '127.0.0.1');

  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server?.close());

it.each(['light', 'dark'] as const)('the start page has no axe violation when it is %s', async (colorScheme) => {
  const page = await (await chromium.browser.newContext({ colorScheme })).newPage();
  await page.goto(`${url}/`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  expect(await axeFinds(page)).toEqual([]);
});

it('a search finds the page for an incident', async () => {
  const page = await chromium.browser.newPage();
  await page.goto(`${url}/`);
  await page.getByRole('button', { name: 'Search' }).first().click();
  await page.getByRole('searchbox').fill('leaked key');
  await page
    .getByRole('link', { name: /A leaked key/ })
    .first()
    .waitFor();
});
