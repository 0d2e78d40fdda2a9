import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';
import { useChromium } from './chromium.ts';
import { callApi, checkDrift } from './page-people.ts';
import { axeFinds, type Visit, widerThanScreen } from './page-session.ts';
import { useVisits } from './visits.ts';

const REGIONS = ['westeurope', 'northeurope', 'uksouth'] as const;
const ACCOUNTS = 24;
const DAY_SECONDS = 86_400;

let key: TestKey;
const chromium = useChromium();
const app = useApp({
  env: { CMK_AUTOFIX: 'none' },
  prepare: ({ world }) => {
    const exp = world.clock.nowSeconds() + 40 * DAY_SECONDS;
    key = new TestKey(world, 'kv-files', { exp });
    for (let n = 0; n < ACCOUNTS; n += 1) {
      key.account('pinned', { name: `stregion${String(n).padStart(2, '0')}`, location: REGIONS[n % 3] ?? '' });
    }
    new TestKey(world, 'kv-records', { exp: world.clock.nowSeconds() + 5 * DAY_SECONDS });
  },
});
const { as } = useVisits(chromium, app);

/** A rotation that a pause keeps from beginning: half of the accounts are moved by hand. */
beforeAll(async () => {
  await checkDrift(app);
  const pause = { reason: 'To look at it', key: `kv-files/${key.name}` };
  expect((await callApi(app, 'operator', 'POST', '/pause', pause)).status).toBe(200);
  key.add({ exp: app.azure.world.clock.nowSeconds() + 400 * DAY_SECONDS, publish: true });
  await eventually('the rotation is known', async () => {
    const rotation = await (await callApi(app, 'operator', 'GET', `/rotations/kv-files/${key.name}`)).json();
    return (rotation as { waiting?: number }).waiting === ACCOUNTS;
  });
});

/** Thirty days that end today: more than an app that has just begun can have. */
function thirtyDays() {
  const today = app.azure.world.clock.nowMs();
  const value = Array.from({ length: 30 }, (_, n) => {
    const day = new Date(today - (29 - n) * DAY_SECONDS * 1000).toISOString().slice(0, 10);
    if (n === 9) return { day };
    const rotations =
      n % 3 === 0 ? { finished: 1 + (n % 4), p50Seconds: 1 + (n % 5), p95Seconds: 8 + 3 * n } : { finished: 0 };
    return {
      day,
      findings: {
        checkedOn: `${day}T10:00:00Z`,
        complete: true,
        errors: n % 7 === 0 ? 2 : 0,
        warnings: 3 + (n % 5),
        advice: 1,
        behind: n === 20 ? 37 : n % 4,
      },
      events: { rotations, revocations: n === 12 ? 1 : 0, restores: n === 13 ? 1 : 0, complete: true },
    };
  });
  return { value };
}

async function withTrend({ page }: Visit): Promise<void> {
  await page.route('**/api/trend', (route) => route.fulfill({ json: thirtyDays() }));
  await page.evaluate("location.hash = '#/trend'");
  await page.locator('.plot canvas').nth(3).waitFor();
}

/** By name, where it is, and what is there once it is drawn. */
const PICTURES = [
  ['keys', () => '#/keys', '.time-lines .track'],
  ['key', () => `#/keys/kv-files/${key.name}`, '.flow .bands'],
  ['rotation', () => '#/', '.regions .progress'],
  ['fleet', () => '#/fleet', '.fleet-grid .square'],
] as const;

const SCREENS = [
  [390, 844, 'light'],
  [390, 844, 'dark'],
  [1400, 900, 'light'],
  [1400, 900, 'dark'],
] as const;

describe.each(SCREENS)('at %i × %i, %s', (width, height, colorScheme) => {
  const screen = { viewport: { width, height }, colorScheme };

  it('every picture is drawn within the screen, without a raw time, and axe-core finds nothing', async () => {
    const visit = await as('operator', '#/keys', screen);
    const { page } = visit;
    const look = async (name: string): Promise<void> => {
      expect(await widerThanScreen(page), name).toBe(0);
      expect(await page.locator('main').textContent(), name).not.toMatch(/\d{4}-\d\d-\d\dT/);
      expect(await axeFinds(page), name).toEqual([]);
      const into = process.env.PICTURES;
      if (!into) return;
      await mkdir(into, { recursive: true });
      await page.screenshot({ path: join(into, `${name}-${width}-${colorScheme}.png`), fullPage: true });
    };
    for (const [name, view, drawn] of PICTURES) {
      await page.evaluate(`location.hash = ${JSON.stringify(view())}`);
      await page.locator(drawn).first().waitFor();
      await look(name);
    }
    await withTrend(visit);
    await look('trend');
  });
});

describe('the pictures', () => {
  it('of a rotation say how far each region is, and that it is paused', async () => {
    const { page } = await as('operator');
    const rows = page.getByRole('table', { name: `Rotation of kv-files/${key.name} by region` }).getByRole('row');
    await rows.nth(3).waitFor();
    expect(await rows.nth(1).textContent()).toBe('northeurope0 of 8none in 5 minpaused');
  });

  it('of the fleet filter the list, by a square and by a button, and back', async () => {
    const { page } = await as('operator', '#/fleet');
    const found = page.getByRole('status').filter({ hasText: 'accounts' });
    const serving = page.getByRole('button', { name: /Serving/ });
    await serving.click();
    await page.waitForURL(/health=Serving/);
    expect(await serving.getAttribute('aria-pressed')).toBe('true');
    await found.getByText(/ of \d+/).waitFor();
    await serving.click();
    await page.waitForURL((url) => !url.hash.includes('health'));
    await page.locator('.squares').click({ position: { x: 8, y: 8 } });
    await page.waitForURL(/health=(?!Serving)\w+/);
  });

  it('of a key name its versions and accounts, each with its list', async () => {
    const { page } = await as('operator', `#/keys/kv-files/${key.name}`);
    const flow = page.getByRole('region', { name: 'What uses which version' });
    await flow.getByText('nothing yet').waitFor();
    await flow.getByRole('link', { name: '19 accounts more' }).click();
    await page.getByText(`${ACCOUNTS} accounts of`).waitFor();
  });

  it('of the trend show p50, p95 and the promise of a day that is pointed at', async () => {
    const visit = await as('operator', '#/fleet', { viewport: { width: 1400, height: 900 } });
    await withTrend(visit);
    const speed = visit.page.getByRole('figure', { name: 'From the new version to the last account' });
    expect(await speed.getByRole('list').textContent()).toMatch(
      /p50 .*p95 .*promise for 500 accounts in one region 1 min/s,
    );
    const plot = await speed.locator('.u-over').boundingBox();
    if (!plot) throw new Error('The chart is not drawn.');
    await visit.page.mouse.move(plot.x + plot.width * 0.915, plot.y + plot.height / 2);
    await speed.locator('.tip').getByText('p95 1 min 29 s').waitFor();
    await speed.getByText('In figures').click();
    expect(await speed.getByRole('row').first().textContent()).toBe('Dayp50p95');
  });
});
