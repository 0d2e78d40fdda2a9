import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { addAccount } from '../../local/azure/fleet.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { group, storageIdentity, TestKey } from '../support/fleet.ts';
import { useChromium } from './chromium.ts';
import { answersOf, useVisits } from './page-session.ts';

const ACCOUNTS = 5_000;
/** Scripting that a key which is pressed may cost, in milliseconds: some 50 on a quiet machine, seconds if all were drawn. */
const MOST_MS = 1_000;

const chromium = useChromium();
const app = useApp({
  env: { CMK_AUTOFIX: 'none' },
  prepare: ({ world }) => {
    const key = new TestKey(world);
    const identity = storageIdentity(world);
    for (let n = 0; n < ACCOUNTS; n += 1) {
      const name = `stmany${String(n).padStart(5, '0')}`;
      addAccount(world, group(world), { name, identity, key: key.use(), tags: { team: `team-${n % 40}` } });
    }
  },
});
const { as } = useVisits(chromium, app);

beforeAll(() => app.checkDrift());

describe(`a fleet of ${ACCOUNTS} accounts`, () => {
  it('The fleet is filtered while the user types, and the page renders only the visible rows', async () => {
    const { page } = await as('operator', '#/fleet');

    await page.getByText(/^5,0\d\d accounts$/).waitFor({ timeout: 60_000 });

    expect(await page.locator('.rows tbody tr').count()).toBeLessThan(80);

    const client = await page.context().newCDPSession(page);

    await client.send('Performance.enable');

    const scripting = async (): Promise<number> => {
      const { metrics } = await client.send('Performance.getMetrics');
      return (metrics.find(({ name }) => name === 'ScriptDuration')?.value ?? 0) * 1000;
    };
    const search = page.getByRole('searchbox', { name: 'Search' });
    const spent: number[] = [];

    for (const [text, found] of [
      ['stmany0499', '10 accounts of'],
      ['team-7', '125 accounts of'],
      ['', ''],
    ] as const) {
      const before = await scripting();

      await search.fill(text);
      await page.getByText(new RegExp(found === '' ? '^5,0\\d\\d accounts$' : `^${found}`)).waitFor();
      spent.push((await scripting()) - before);
    }

    console.log(`scripting: ${spent.map((ms) => ms.toFixed(0)).join(', ')} ms`);

    expect(Math.max(...spent)).toBeLessThan(MOST_MS);

    await search.fill('stmany04999');
    await page.getByRole('link', { name: 'stmany04999' }).waitFor();

    expect(page.url()).toBe(`${app.url}/#/fleet?q=stmany04999`);

    await page.reload();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();

    expect(page.url()).toBe(`${app.url}/#/fleet?q=stmany04999`);
  });

  it('The fleet names the part that could not be read, and reads it again', async () => {
    const { page } = await as('operator', '#/trend', { provoked: answersOf('503') });
    await page.getByText('Revocations').first().waitFor();
    const further = /\/api\/fleet\?.*after=/;
    await page.route(further, (route) => route.fulfill({ status: 503, body: 'away' }), { times: 1 });
    await page.getByRole('link', { name: 'Fleet' }).click();
    await page.getByRole('alert').getByText('Status503').waitFor({ timeout: 30_000 });
    await page.getByText(/^5,0\d\d accounts$/).waitFor({ timeout: 60_000 });
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  it('The fleet is sorted by any column in both directions, and downloaded as shown', async () => {
    const { page } = await as('operator', '#/fleet?q=stmany');

    await page.getByText(/^5,000 accounts of/).waitFor({ timeout: 60_000 });

    const first = page.locator('.rows tbody th a').first();
    const account = page.getByRole('columnheader', { name: 'Account' });

    expect(await page.getByRole('columnheader', { name: 'Health' }).getAttribute('aria-sort')).toBe('ascending');

    await account.getByRole('button').click();
    await account.getByRole('button').click();
    await eventually('the last is first', async () => (await first.textContent()) === 'stmany04999');

    expect(await account.getAttribute('aria-sort')).toBe('descending');
    expect(page.url()).toBe(`${app.url}/#/fleet?q=stmany&sort=-account`);

    await page.setViewportSize({ width: 390, height: 844 });
    await page.getByLabel('Sort by').selectOption('-since');

    expect(page.url()).toBe(`${app.url}/#/fleet?q=stmany&sort=-since`);

    await page.getByLabel('Sort by').selectOption('-account');
    await eventually('the last is first again', async () => (await first.textContent()) === 'stmany04999');

    const downloading = page.waitForEvent('download');

    await page.getByRole('button', { name: 'Download CSV' }).click();

    const lines = (await readFile(await (await downloading).path(), 'utf8')).trimEnd().split('\r\n');
    expect(lines[0]).toBe('account,health,since,cause,key,version,group,region,subscription,id');
    expect(lines).toHaveLength(ACCOUNTS + 1);
    expect(lines[1]).toMatch(/^stmany04999,/);
  });
});
