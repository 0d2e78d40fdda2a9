import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page, Request } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { RevokeResponse } from '../../src/api/revoke.ts';
import type { NowAnswer } from '../../src/status/now-schemas.ts';
import { type SignIn, useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { useChromium } from './chromium.ts';
import { axeFinds, visitAs } from './page-session.ts';

// Every view at two widths, light and dark: without accounts, healthy, and in an incident. A person reviews the pictures one by
// one; the README uses some of them.

const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const ALL = join(PROJECT, '.local/screenshots');
const DOCS = join(PROJECT, 'docs/images');
const KEY = 'kv-files/archive-key';
const SIZES = [
  { width: 390, height: 844 },
  { width: 1_400, height: 900 },
] as const;

const VIEWS = [
  ['now', '#/'],
  ['fleet', '#/fleet'],
  ['account', '#/fleet/starchive01'],
  ['keys', '#/keys'],
  ['key', `#/keys/${KEY}`],
  ['break-glass', '#/break-glass'],
  ['break-glass-key', `#/break-glass/${KEY}`],
  ['audit', '#/audit'],
  ['record', '#/audit/1'],
  ['trend', '#/trend'],
] as const;

const chromium = useChromium();

/** Takes each view in each size and scheme. */
async function takeAll(app: { readonly url: string }, state: string): Promise<void> {
  const { page, close } = await visitAs(chromium.browser, app, 'operator', '#/', { viewport: SIZES[1] });

  for (const [name, view] of VIEWS) {
    await goTo(page, view);

    for (const size of SIZES) {
      await page.setViewportSize(size);

      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await page.evaluate('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))');
        await page.screenshot({ path: join(ALL, `${state}-${name}-${size.width}-${colorScheme}.png`), fullPage: true });
      }
    }

    expect(await axeFinds(page), `${state} ${name}`).toEqual([]);
  }

  await close();
}

/** Opens a view, and waits until it has asked for everything: half a second without a request under way. */
async function goTo(page: Page, view: string): Promise<void> {
  const underWay = new Set<Request>();
  let last = performance.now();
  const begun = (request: Request) => {
    underWay.add(request);
  };
  const ended = (request: Request) => {
    underWay.delete(request);
    last = performance.now();
  };

  page.on('request', begun).on('requestfinished', ended).on('requestfailed', ended);
  await page.evaluate(`location.hash = ${JSON.stringify(view)}`);
  last = performance.now();
  await eventually('nothing is asked for', () => underWay.size === 0 && performance.now() - last > 500);
  await eventually(
    'nothing is still read',
    async () => (await page.getByText(/^(Reading|Looking for) /).count()) === 0,
  );
  page.off('request', begun).off('requestfinished', ended).off('requestfailed', ended);
}

describe('with accounts', () => {
  const app = useApp({
    env: { CMK_AUTOFIX: 'StaleKeyVersion' },
  });
  const post = async (who: SignIn, path: string, body: object) => {
    const response = await app.call(who, 'POST', path, body);
    expect(response.status, path).toBe(200);
    return response;
  };

  const get = async <T>(path: string) => (await (await app.call('operator', 'GET', path)).json()) as T;

  it('Each view of a fleet with accounts is captured in every state', async () => {
    await mkdir(ALL, { recursive: true });
    await app.checkDrift();
    await takeAll(app, '1-well');

    const phone = await visitAs(chromium.browser, app, 'operator', '#/', { viewport: SIZES[0], colorScheme: 'dark' });

    await goTo(phone.page, `#/break-glass/${KEY}`);
    await phone.page.screenshot({ path: join(DOCS, 'page-break-glass-phone.png') });
    await phone.close();

    await post('operator', '/pause', { reason: 'Until the leak is understood', ticket: 'INC-4711' });

    const revoked = await post('revoker', `/keys/${KEY}/revoke`, {
      reason: 'Suspected compromise',
      ticket: 'INC-4711',
      confirm: KEY,
    });

    const { revocation } = (await revoked.json()) as RevokeResponse;

    await eventually(
      'the incident shows',
      async () => (await get<NowAnswer>('/now')).fleet?.value?.states.Revoked === 2,
      60_000,
    );

    await takeAll(app, '2-incident');

    const desk = await visitAs(chromium.browser, app, 'operator', '#/fleet', {
      viewport: { width: 1_200, height: 760 },
    });

    await goTo(desk.page, '#/');
    await desk.page.screenshot({ path: join(DOCS, 'page-now.png') });
    await desk.close();
    await post('restorer', `/keys/${KEY}/restore`, { reason: 'False alarm', revocation: revocation?.id });
    await post('operator', '/resume', { reason: 'False alarm' });
  });
});

describe('without accounts', () => {
  const app = useApp({
    prepare({ world }) {
      for (const name of world.storageAccounts.keys()) {
        if (name !== 'stcmkapp') world.storageAccounts.delete(name);
      }
      for (const { keys } of [...world.vaults.values(), ...world.managedHsms.values()]) keys.clear();
    },
  });

  it('Each view is captured without accounts', async () => {
    await takeAll(app, '0-empty');
  });
});
