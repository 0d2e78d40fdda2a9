import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.ts';
import { useChromium } from './chromium.ts';
import { expectQuiet, type Visit, type VisitOptions, visitAs } from './page-session.ts';

// Break-glass below the key, through the page alone: one account, one encryption scope.

const NASTY = '<img src=x onerror="document.title=1">';
const PHONE = { viewport: { width: 390, height: 844 } };
/** Runs in the page: by how much it is wider than the screen. */
const WIDER = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';

const chromium = useChromium();
const app = useApp({ env: { CMK_AUTOFIX: 'none' } });
const opened: Visit[] = [];

async function as(who: string, view: string, options: VisitOptions = {}): Promise<Visit> {
  const one = await visitAs(chromium.browser, app, who, view, options);
  opened.push(one);
  return one;
}

function principal(who: string) {
  const person = [...app.azure.world.principals.values()].find(({ displayName }) => displayName === who);
  if (!person) throw new Error(`There is no ${who}.`);
  return person;
}

/** What a client that may read every file gets of a share: the status. */
async function readShare(account: string): Promise<number> {
  const { token } = app.azure.tokens.issue(principal('owner'), 'https://storage.azure.com');
  const response = await fetch(`https://${account}.file.core.windows.net/share1?restype=directory&comp=list`, {
    headers: { authorization: `Bearer ${token}`, 'x-ms-file-request-intent': 'backup', 'x-ms-version': '2025-01-05' },
  });
  await response.body?.cancel();
  return response.status;
}

async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<{ violations: { id: string; nodes: { failureSummary?: string }[] }[] }>(
    'axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })',
  );
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.failureSummary}`)).toEqual([]);
  expect(await page.evaluate<number>(WIDER)).toBe(0);
}

beforeAll(async () => {
  const { token } = app.azure.tokens.issue(principal('operator'), 'api://cmk-autopilot');
  const response = await fetch(`${app.url}/api/drift`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  });
  expect(response.status, await response.text()).toBe(200);
});
afterEach(async () => {
  for (const one of opened.splice(0)) {
    expectQuiet(one, app.url, app.azure.signInUrl);
    await one.close();
  }
});

describe('one account', () => {
  it('is revoked on a phone, is open in Now, and another person restores it', async () => {
    expect(await readShare('strecords01')).toBe(200);
    const { page: revoker } = await as('revoker', '#/break-glass', PHONE);
    await revoker.getByLabel('One account alone').fill('strecords01');
    await revoker.getByRole('button', { name: 'Go to the account' }).click();
    await revoker.getByRole('heading', { level: 1, name: 'strecords01' }).waitFor();
    await revoker.getByRole('button', { name: 'See what would stop' }).click();
    await revoker.getByText(/^All data of strecords01 under the key kv-records\/records-key/).waitFor();
    await revoker.getByText(/every other account that uses it/).waitFor();
    await revoker.getByText(/no figure is published/).waitFor();
    await revoker.getByText(/^Its role on kv-records/).waitFor();
    expect(await readShare('strecords01')).toBe(200);
    const press = revoker.getByRole('button', { name: 'Revoke strecords01' });
    await revoker.getByLabel('Why').fill(NASTY);
    await revoker.getByLabel('Ticket').fill('INC-4712');
    await revoker.getByLabel(/^Type/).fill('strecords02');
    expect(await press.isDisabled()).toBe(true);
    await revoker.getByLabel(/^Type/).fill('strecords01');
    await expectAccessible(revoker);
    await press.click();
    await revoker.getByText('strecords01 is revoked by itself.', { exact: true }).first().waitFor();
    await revoker.getByText('strecords01 is revoked by itself: nothing gives it access.').waitFor();
    expect(await readShare('strecords01')).toBe(403);
    expect(await readShare('strecords02')).toBe(200);
    await revoker.getByText('Restoring takes the app role CmkKey.Restore').waitFor();
    await expectAccessible(revoker);

    const { page: restorer } = await as('restorer', '#/', { colorScheme: 'dark' });
    await restorer.getByText(/^Not well: 1 account or scope is revoked by itself/).waitFor({ timeout: 45_000 });
    const open = restorer.getByRole('region', { name: 'Open revocations' });
    await open.getByText(principal('revoker').objectId).waitFor();
    await expectAccessible(restorer);
    await open.getByRole('link', { name: 'strecords01' }).click();
    await restorer.getByText('strecords01 is revoked by itself: nothing gives it access.').waitFor();
    // By name too: the history of the account has it.
    await restorer.getByText(`by revoker@local.onmicrosoft.com, ${principal('revoker').objectId}`).waitFor();
    const restore = restorer.getByRole('region', { name: 'Restore' });
    await restore.getByText(/^Its role on kv-records/).waitFor();
    await expectAccessible(restorer);
    await restore.getByLabel('Why').fill('It was a backup');
    await restorer.getByRole('button', { name: 'Restore strecords01' }).click();
    await restorer.getByText('strecords01 is restored.').waitFor();
    await restorer.getByText('strecords01 is revoked by itself').waitFor({ state: 'detached' });
    expect(await readShare('strecords01')).toBe(200);
    await revoker.getByText('You revoked strecords01. It has been restored since.').waitFor();

    const { page: auditor } = await as('operator', '#/audit?action=account.revoke');
    await auditor.getByText(NASTY).waitFor();
    expect(await auditor.locator('img').count()).toBe(0);
  });
});
