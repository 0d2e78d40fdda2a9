import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { startLocalRun } from '../local/run/local-run.ts';
import { bundle } from './bundle.ts';

const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));
const INTO = join(PROJECT, 'docs/images');
const KEY = 'kv-files/archive-key';

/** `npm run screenshots`: runs the tour, and takes the pictures of the README from how it leaves things. */
async function main(): Promise<void> {
  const stop = new AbortController();
  const run = await startLocalRun({
    stateDir: join(PROJECT, '.local/screenshots'),
    port: 0,
    env: process.env,
    signal: stop.signal,
    bundleApp: (outDir) => bundle({ outDir, zip: false }),
    tourModule: join(PROJECT, 'tour/main.ts'),
  });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--no-proxy-server'],
  });
  try {
    await run.tour();
    await mkdir(INTO, { recursive: true });
    const phone = await open(browser, `${run.url}/#/break-glass/${KEY}`, {
      viewport: { width: 390, height: 844 },
      colorScheme: 'dark',
    });
    await phone.getByRole('button', { name: 'See what would stop' }).click();
    await phone.getByText('would stop.').waitFor();
    await phone.screenshot({ path: join(INTO, 'page-break-glass-phone.png') });
    await phone.getByLabel('Why').fill('Suspected compromise');
    await phone.getByLabel(/^Type/).fill(KEY);
    await phone.getByRole('button', { name: `Revoke ${KEY}` }).click();
    await phone.getByText(/^2 of 2 refuse/).waitFor();
    const desk = await open(browser, `${run.url}/`, { viewport: { width: 1200, height: 760 } });
    await desk.getByText(/^1 key is revoked/).waitFor();
    await desk.getByRole('region', { name: 'Rotations under way' }).getByText('Read').waitFor();
    await desk.screenshot({ path: join(INTO, 'page-now.png') });
  } finally {
    await browser.close();
    await run.stop();
  }
}

async function open(browser: Browser, url: string, options: BrowserContextOptions): Promise<Page> {
  const page = await (await browser.newContext({ timezoneId: 'Europe/Berlin', ...options })).newPage();
  await page.goto(url);
  const opening = page.waitForEvent('popup');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await (await opening).getByRole('button', { name: /^operator/ }).click();
  await page.getByRole('heading', { level: 1 }).waitFor();
  return page;
}

await main();
process.exit();
