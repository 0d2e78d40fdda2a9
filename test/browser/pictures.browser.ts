import { beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.ts';
import { TestKey } from '../support/fleet.ts';
import { useChromium } from './chromium.ts';
import { axeFinds, useVisits, type Visit, widerThanScreen } from './page-session.ts';

const REGIONS = ['westeurope', 'westeurope', 'northeurope', 'uksouth'] as const;
/** On the first version, and on the one after it. */
const BEHIND = 18;
const MOVED = 12;
const DAY_SECONDS = 86_400;

let key: TestKey;
const chromium = useChromium();
const app = useApp({
  env: { CMK_AUTOFIX: 'StaleKeyVersion' },
  prepare: ({ world }) => {
    const inDays = (days: number) => ({ exp: world.clock.nowSeconds() + days * DAY_SECONDS });

    key = new TestKey(world, 'kv-files', inDays(40));

    const newest = key.add(inDays(400));
    for (let n = 0; n < BEHIND + MOVED; n += 1) {
      const version = n < BEHIND ? key.first : newest;
      const location = REGIONS[(n * 3) % 4] ?? '';
      key.account('pinned', {
        name: `stregion${String(n).padStart(2, '0')}`,
        location,
        key: key.use('pinned', version),
      });
    }

    new TestKey(world, 'kv-records', inDays(-2));
    new TestKey(world, 'kv-records', inDays(12));

    const disabled = new TestKey(world, 'kv-files', inDays(200));

    for (const name of ['stoff01', 'stoff02', 'stoff03']) disabled.account('automatic', { name });

    disabled.first.enabled = false;
  },
});
const { as } = useVisits(chromium, app);

/** A pause holds the rotation half-way. */
beforeAll(async () => {
  const pause = { reason: 'To look at it', key: `kv-files/${key.name}` };
  expect((await app.call('operator', 'POST', '/pause', pause)).status).toBe(200);
  await app.checkDrift();
  const rotation = await (await app.call('operator', 'GET', `/rotations/kv-files/${key.name}`)).json();
  expect(rotation).toMatchObject({ state: 'paused', moved: MOVED, waiting: BEHIND });
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

  it(`Every picture fits a ${colorScheme} screen of ${width} × ${height}, shows no raw time, and has no axe violation`, async () => {
    const visit = await as('operator', '#/keys', screen);
    const { page } = visit;
    const look = async (name: string): Promise<void> => {
      expect(await widerThanScreen(page), name).toBe(0);
      expect(await page.locator('main').textContent(), name).not.toMatch(/\d{4}-\d\d-\d\dT/);
      expect(await axeFinds(page), name).toEqual([]);
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
  it('The picture of a paused rotation shows the progress of each region, without a rate and an expected end', async () => {
    const { page } = await as('operator');
    const rows = page.getByRole('table', { name: `Rotation of kv-files/${key.name} by region` }).getByRole('row');
    await rows.nth(3).waitFor();
    expect(await rows.nth(0).textContent()).toBe('RegionMoved');
    expect(await rows.nth(1).textContent()).toBe('westeurope6 of 15');
  });

  it('The picture of the fleet filters the list by a square or a button, and resets it', async () => {
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

  it('The picture of a key names its versions and accounts, each linked to its list', async () => {
    const { page } = await as('operator', `#/keys/kv-files/${key.name}`);
    const flow = page.getByRole('region', { name: 'What uses which version' });
    await flow.getByText(`newest, ${MOVED} accounts`).waitFor();
    await flow.getByRole('link', { name: `${BEHIND - 5} more` }).click();
    await page.getByText(`${BEHIND} accounts of`).waitFor();
  });

  it('The trend shows p50, p95 and the promise of the day under the pointer', async () => {
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
