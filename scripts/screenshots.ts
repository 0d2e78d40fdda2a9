import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { startLocalRun } from '../local/run/local-run.ts';
import { bundle } from './bundle.ts';

const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));
const INTO = join(PROJECT, 'docs/images');

/** What is shown: a file, a view of the page, and what has to be on it. */
const SHOTS = [
  { name: 'page-now', view: '#/', text: 'Open revocations', options: { viewport: { width: 1200, height: 720 } } },
  {
    name: 'page-break-glass-phone',
    view: '#/break-glass/kv-files/archive-key',
    text: 'would stop.',
    press: 'See what would stop',
    options: { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
  },
] as const satisfies readonly {
  readonly name: string;
  readonly view: string;
  readonly text: string;
  readonly press?: string;
  readonly options: BrowserContextOptions;
}[];

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
    for (const shot of SHOTS) {
      const page = await (await browser.newContext({ timezoneId: 'Europe/Berlin', ...shot.options })).newPage();
      await page.goto(`${run.url}/${shot.view}`);
      await signIn(page);
      if ('press' in shot) await page.getByRole('button', { name: shot.press }).click();
      const shown = page.getByText(shot.text).first();
      await shown.waitFor();
      await page.waitForLoadState('networkidle').catch(() => undefined);
      if ('press' in shot) await shown.scrollIntoViewIfNeeded();
      await page.screenshot({ path: join(INTO, `${shot.name}.png`) });
    }
  } finally {
    await browser.close();
    await run.stop();
  }
}

async function signIn(page: Page): Promise<void> {
  const opening = page.waitForEvent('popup');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await (await opening).getByRole('button', { name: /^operator/ }).click();
  await page.getByRole('heading', { level: 1 }).waitFor();
}

await main();
process.exit();
