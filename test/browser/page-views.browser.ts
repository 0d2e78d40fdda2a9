import type { Page, Request, Route } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { type SignIn, useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';
import { useChromium } from './chromium.ts';
import { answersOf, axeFinds, signIn, useVisits, widerThanScreen } from './page-session.ts';

// What holds for every view: for every user, on every screen, with any names in Azure.

const NASTY = '<img src=x onerror="document.title=1">';
const KEY = 'kv-files/files-key';
/** Nothing in it lets a line break. */
const LONG = 'x'.repeat(200);

const chromium = useChromium();
const app = useApp({
  env: { CMK_AUTOFIX: 'none' },
  prepare: ({ world }) => {
    const key = new TestKey(world, 'kv-records');
    key.account('pinned', { name: 'stnasty01', tags: { 'cmk-key': NASTY, note: NASTY } });
  },
});
const { as, open } = useVisits(chromium, app);

/** So that each view has something to show: findings, a revocation that was restored, records of both. */
beforeAll(async () => {
  const call = async (who: SignIn, path: string, body?: object): Promise<{ revocation?: { id: string } }> => {
    const response = await app.call(who, 'POST', path, body);
    expect(response.status, await response.clone().text()).toBe(200);
    return response.json() as Promise<{ revocation?: { id: string } }>;
  };
  await app.checkDrift();
  const revoked = await call('revoker', `/keys/${KEY}/revoke`, { reason: 'Leaked', confirm: KEY });
  await call('restorer', `/keys/${KEY}/restore`, { reason: 'False alarm', revocation: revoked.revocation?.id });
});

const VIEWS = [
  ['now', '#/', ' revoked| blocked|Needs attention|Healthy'],
  ['fleet', '#/fleet', 'stfiles01'],
  ['account', '#/fleet/stnasty01', 'Resource group'],
  ['keys', '#/keys', 'kv-records'],
  ['key', `#/keys/${KEY}`, 'Used by'],
  ['break-glass', '#/break-glass', 'Choose a key'],
  ['break-glass of a key', `#/break-glass/${KEY}`, '1. What would stop'],
  ['audit', '#/audit', 'Records, newest first'],
  ['record', '#/audit/1', 'In the chain'],
  ['trend', '#/trend', 'What happened to keys'],
] as const;

/** In the page as it is: what it has read before stays. */
async function goTo(page: Page, view: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(view)}`);
}

describe.each(['light', 'dark'] as const)('in the %s theme', (colorScheme) => {
  it(`No view in the ${colorScheme} theme has an axe violation`, async () => {
    const { page } = await as('operator', '#/', { colorScheme });
    for (const [name, view, text] of VIEWS) {
      await goTo(page, view);
      await page.getByText(new RegExp(text)).first().waitFor();
      expect(await axeFinds(page), name).toEqual([]);
    }
  });

  it.each([
    ['is on its way', () => {}],
    ['does not come', (route: Route) => route.fulfill({ status: 503, body: 'away' })],
  ])(`A view in the ${colorScheme} theme has no axe violation while its data %s`, async (_, answer) => {
    const { page } = await open('#/nowhere', { colorScheme, provoked: answersOf('503') });
    await page.route('**/api/**', answer);
    await signIn(page, 'operator');
    for (const [name, view] of VIEWS) {
      const before = await page.title();
      await goTo(page, view);
      await eventually('the view is there', async () => (await page.title()) !== before);
      expect(await axeFinds(page), name).toEqual([]);
    }
  });
});

/** Fields whose text others may have written; an answer with all of them made hostile. */
const OTHERS_WORDS =
  /^(name|region|resourceGroup|subscription|tags|label|is|shouldBe|fix|detail|text|version|createdBy|message|why|ticket|warnings|objectId|file|what)$/;

function madeHostile(value: unknown, isWords = false): unknown {
  if (typeof value === 'string') return isWords ? `${value}${NASTY}${LONG}` : value;
  if (Array.isArray(value)) return value.map((one) => madeHostile(one, isWords));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, madeHostile(inner, isWords || OTHERS_WORDS.test(name))]),
  );
}

describe('names that look like markup', () => {
  it('A name that looks like markup stays text, and makes no view wider than a narrow screen', async () => {
    const { page } = await as('operator', '#/', { viewport: { width: 320, height: 640 } });
    await page.route('**/api/**', async (route) => {
      const response = await route.fetch({ headers: { ...route.request().headers(), 'if-none-match': '' } });
      await route.fulfill({ response, json: madeHostile(await response.json()) });
    });

    for (const [name, view] of VIEWS) {
      await page.goto(`${app.url}/#/trend`);
      await page.goto(`${app.url}/${view}`);

      if (/^(now|fleet|account|keys|audit|record)$/.test(name)) {
        await page.getByText(NASTY).first().waitFor({ state: 'attached' });
      }

      expect(await page.locator('img, iframe').count(), name).toBe(0);
      expect(await widerThanScreen(page), name).toBe(0);
      expect(await page.title(), name).toMatch(/ · cmk-autopilot$/);
    }
  });
});

describe('on any screen', () => {
  it.each([
    [320, 640],
    [390, 844],
    [1400, 900],
  ])('No view scrolls sideways on a screen of %i × %i', async (width, height) => {
    const { page } = await as('operator', '#/', { viewport: { width, height } });
    for (const [name, view, text] of VIEWS) {
      await page.goto(`${app.url}/${view}`);
      await page.getByText(new RegExp(text)).first().waitFor();
      expect(await widerThanScreen(page), name).toBe(0);
    }
  });

  it('Every view can be used by the keyboard alone, as its heading has the focus', async () => {
    const { page } = await as('operator');
    await page.getByRole('link', { name: 'Keys', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Keys' }).waitFor();
    await eventually('the heading has the focus', () =>
      page.evaluate<boolean>('document.activeElement?.textContent === "Keys"'),
    );
  });
});

/** By view, the one path that it asks for again and again, and how often at least. Milliseconds. */
const POLLED = [
  ['now', '#/', '/now', 5_000],
  ['fleet', '#/fleet', '/fleet?top=1000', 20_000],
  ['account', '#/fleet/stfiles01', '/fleet/stfiles01', 10_000],
  ['keys', '#/keys', '/keys', 15_000],
  ['key', `#/keys/${KEY}`, `/keys/${KEY}`, 10_000],
  ['break-glass', '#/break-glass', '/keys', 15_000],
  ['break-glass of a key', `#/break-glass/${KEY}`, `/keys/${KEY}`, 3_000],
  ['audit', '#/audit', '/audit', 15_000],
  ['trend', '#/trend', '/trend', 300_000],
] as const;

/** Longer than anything waits that is asked for again and again, but for the trend. Milliseconds. */
const LONG_MS = 65_000;

it('A view polls by one request at a time, and not at all while it is hidden', {
  timeout: 120_000,
}, async () => {
  const { page } = await as('operator', '#/nowhere', { clock: true });
  const asked: string[] = [];
  const underWay = new Set<Request>();

  page.on('request', (request) => {
    const { pathname, search } = new URL(request.url());
    if (!pathname.startsWith('/api/')) return;
    asked.push(pathname.replace('/api', '') + search);
    underWay.add(request);
  });

  page.on('response', (response) => underWay.delete(response.request()));
  page.on('requestfailed', (request) => underWay.delete(request)); // aborted by a view that the user left

  const isStill = () => underWay.size === 0;
  const hide = (isHidden: boolean) =>
    page.evaluate(`Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${isHidden} })`);

  for (const [name, view, path, everyMs] of POLLED) {
    await goTo(page, '#/nowhere');
    await hide(false);
    asked.length = 0;
    await goTo(page, view);
    await eventually(`${name} is asked for`, () => asked.includes(path) && isStill());

    // What is still being read is asked for again soon.
    for (let before = -1; before !== asked.length; ) {
      before = asked.length;
      await page.clock.runFor(1_200);
      await eventually('that is answered', isStill);
    }

    asked.length = 0;

    const times = Math.max(1, Math.floor(LONG_MS / everyMs));
    for (let time = 1; time <= times; time += 1) {
      await page.clock.runFor(everyMs + 100);
      await eventually(`${name} was asked for again`, () => asked.length >= time && isStill());
    }

    expect(asked, name).toEqual(Array(times).fill(path));

    await hide(true);
    await page.clock.runFor(2 * everyMs + LONG_MS);

    expect(asked, name).toHaveLength(times);
  }
});

describe('without JavaScript', () => {
  it('The page tells without JavaScript what it needs', async () => {
    const { page } = await open('', { javaScriptEnabled: false });
    expect(await page.locator('noscript').textContent()).toContain('it needs');
    expect(await page.locator('noscript main').isVisible()).toBe(true);
  });
});

describe('the page as it is served', () => {
  it('The served page has a strict content security policy, and files that are cached for good', async () => {
    const document = await fetch(`${app.url}/`);
    const policy = document.headers.get('content-security-policy') ?? '';

    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toMatch(/unsafe|\*/);

    const [, script = ''] = /src="(page\/main-[\w]+\.js)"/.exec(await document.text()) ?? [];
    const file = await fetch(`${app.url}/${script}`);

    expect(file.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');

    await file.body?.cancel();

    expect((await fetch(`${app.url}/page/index.html`)).status).toBe(404);
    expect((await fetch(`${app.url}/page/..%2fhost.json`)).status).toBe(404);

    const again = await fetch(`${app.url}/`, { headers: { 'if-none-match': document.headers.get('etag') ?? '' } });
    expect(again.status).toBe(304);
  });
});
