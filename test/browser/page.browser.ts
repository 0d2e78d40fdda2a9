import { readFile } from 'node:fs/promises';
import type { Locator } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { arm, signIn as signInOf } from '../local-azure/support.ts';
import { useApp } from '../support/app.ts';
import { useChromium } from './chromium.ts';
import { answersOf, axeFinds, signIn, signInBy, useVisits } from './page-session.ts';

const NASTY = '<img src=x onerror="document.title=1">';
const KEY = 'kv-files/files-key';

const chromium = useChromium();
const app = useApp({ env: { CMK_AUTOFIX: 'none' } });
const { as } = useVisits(chromium, app);

beforeAll(() => app.checkDrift());

/** What a client that may read every file gets of a share: the status. */
async function readShare(account: string): Promise<number> {
  const { token } = app.azure.tokens.issue(signInOf(app.azure, 'owner'), 'https://storage.azure.com');
  const response = await fetch(`https://${account}.file.core.windows.net/share1?restype=directory&comp=list`, {
    headers: { authorization: `Bearer ${token}`, 'x-ms-file-request-intent': 'backup', 'x-ms-version': '2025-01-05' },
  });
  await response.body?.cancel();
  return response.status;
}

describe('signing in', () => {
  it.each(['revoker', 'restorer', 'operator'])('The page opens after a sign-in as %s', async (who) => {
    const { page } = await as(who);
    await page.getByRole('region', { name: 'Fleet' }).getByText('Serving').waitFor();
    expect(await page.title()).toBe('Now · cmk-autopilot');
    expect(await page.getByRole('button', { name: 'Check again' }).count()).toBe(who === 'operator' ? 1 : 0);
  });

  it('The page tells a person without a role so, and sends no request to the API', async () => {
    const { page, requests } = await as('outsider', '#/fleet');
    await page.getByRole('heading', { name: 'You have no role here' }).waitFor();
    expect(await page.getByRole('table').count()).toBe(0);
    expect(requests.filter((url) => url.includes('/api/'))).toEqual([]);
  });

  it('A sign-in leaves tokens in no storage, address or log', async () => {
    const { page, tokens, requests } = await as('operator', '#/keys');

    await page.getByRole('link', { name: KEY }).waitFor();

    expect(tokens.size).toBeGreaterThanOrEqual(3);

    const kept = await page.evaluate<string>(
      `(async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href,
        history.state, await indexedDB.databases(), await caches.keys()]))()`,
    );
    const cookies = JSON.stringify(await page.context().cookies(app.url));
    const everywhere = [kept, cookies, ...requests, app.output()].join('\n');

    for (const one of tokens) {
      expect(everywhere.includes(one)).toBe(false);
      expect(everywhere.includes(one.split('.').at(-1) ?? one)).toBe(false);
    }
  });

  it('The page tells that the session has ended, and resumes in the same view with what was typed', async () => {
    // The API and the sign-in refuse.
    const { page } = await as('restorer', '#/fleet?q=stfiles', { provoked: answersOf('40[01]') });

    await page.getByRole('link', { name: 'stfiles01' }).waitFor();
    await app.advance(25 * 3_600_000);
    await page.getByText('Your sign-in has ended.').waitFor({ timeout: 45_000 });

    expect(await page.getByRole('link', { name: 'stfiles01' }).count()).toBe(1);

    await signInBy(page, 'Sign in again');
    await page.getByText('Your sign-in has ended.').waitFor({ state: 'detached' });

    expect(page.url()).toBe(`${app.url}/#/fleet?q=stfiles`);

    await page
      .getByText(/^Read (just now|\d+ s ago)$/)
      .first()
      .waitFor();
  });

  it('The page has no user after a sign-out', async () => {
    const { page } = await as('operator');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL(`${app.url}/`);
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await signIn(page, 'restorer');
  });
});

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

/** A phone that has just signed in, whose taps and keystrokes are counted. */
async function onPhone(who: string) {
  const { page } = await as(who, '#/', PHONE);
  await page.evaluate(`
    window.counted = { taps: 0, keystrokes: 0 };
    addEventListener('pointerdown', ({ isTrusted }) => { counted.taps += isTrusted ? 1 : 0; }, true);
    addEventListener('keydown', ({ isTrusted }) => { counted.keystrokes += isTrusted ? 1 : 0; }, true);`);
  return { page, counted: () => page.evaluate<object>('counted') };
}

async function type(field: Locator, text: string): Promise<void> {
  await field.tap();
  await field.pressSequentially(text);
}

describe('break-glass through the page alone', () => {
  it('A person revokes a key by the page alone, and another person restores it', { timeout: 120_000 }, async () => {
    expect(await readShare('stfiles01')).toBe(200);

    const { page: revoker } = await as('revoker', `#/break-glass/${KEY}`, PHONE);

    await revoker.getByText('8 storage accounts with 16 file shares and 1 encryption scope would stop.').waitFor();

    const press = revoker.getByRole('button', { name: `Revoke ${KEY}` });

    await revoker.getByLabel('Why').fill(NASTY);
    await revoker.getByLabel(/^Type/).fill('kv-files/archive-key');

    expect(await press.isDisabled()).toBe(true);

    await revoker.getByLabel(/^Type/).fill(KEY);
    await press.click();
    await revoker.getByText('The key is revoked.').waitFor();
    await revoker.getByText('8 of 8 refuse to serve data.').waitFor({ timeout: 30_000 });

    expect(await readShare('stfiles01')).toBe(403);
    expect(await revoker.getByText('Restoring takes the app role CmkKey.Restore').count()).toBe(1);

    const { page: operator } = await as('operator');

    await operator.getByRole('region', { name: 'Open revocations' }).getByText(`“${NASTY}”`).waitFor();

    const sections = await operator.getByRole('heading', { level: 2 }).allInnerTexts();
    expect(sections.slice(0, 2)).toEqual(['Open revocations', 'What is wrong']);

    await operator.getByRole('link', { name: /^1 key is revoked/ }).click();
    await operator.getByRole('heading', { level: 1, name: `Break-glass: ${KEY}` }).waitFor();

    const { page: restorer } = await as('restorer', `#/break-glass/${KEY}`);

    await restorer.getByText(new RegExp(`^Revoked .*: “${NASTY}”`)).waitFor();

    const scope = restorer.getByRole('region', { name: 'Restore' });

    await scope.getByText(/^8 storage accounts, as the index knew at .*; 8 services seen refusing$/).waitFor();
    await scope.getByText(/^\d versions?: [\da-f]{8}/).waitFor();
    await restorer.getByLabel('Why').fill('False alarm');
    await restorer.getByRole('button', { name: `Restore ${KEY}` }).click();
    await restorer.getByText('The key is restored.').waitFor();
    await restorer.getByText('8 of 8 serve data.').waitFor({ timeout: 30_000 });

    const last = restorer.getByRole('region', { name: 'How soon Storage refuses' });

    await last.getByText(/^Storage refused within \d+ s of the revocation of/).waitFor();

    expect(await readShare('stfiles01')).toBe(200);

    const { page: auditor } = await as('operator', `#/audit?key=${KEY}&action=key.revoke`);

    await auditor.getByText(NASTY).waitFor();

    const downloading = auditor.waitForEvent('download');

    await auditor.getByRole('button', { name: 'Download CSV' }).click();

    const lines = (await readFile(await (await downloading).path(), 'utf8')).trimEnd().split('\r\n');
    expect(lines[0]).toMatch(/^time,action,resource,by,why/);
    expect(lines.slice(1).every((line) => line.includes(',key.revoke,'))).toBe(true);
    expect(lines.length).toBeGreaterThan(1);
    expect(await auditor.locator('img').count()).toBe(0);

    await auditor.getByRole('link', { name: 'key.revoke' }).first().click();
    await auditor.getByText('Intact').waitFor();

    expect(await auditor.title()).toMatch(/^Record \d+ /);
  });

  it('A revocation takes at most 6 taps and 20 keystrokes on the page, and a restore 5 and 12', {
    timeout: 120_000,
  }, async () => {
    const archive = 'kv-files/archive-key';
    const revoker = await onPhone('revoker');

    await revoker.page.getByRole('link', { name: 'Break-glass' }).tap();
    await revoker.page.getByRole('link', { name: archive }).tap();
    await revoker.page.getByText('2 storage accounts with').waitFor();
    await type(revoker.page.getByLabel('Why'), 'Leaked');
    await type(revoker.page.getByLabel(/^Type/), 'archive-key');
    await revoker.page.getByRole('button', { name: `Revoke ${archive}` }).tap();
    await revoker.page.getByText('The key is revoked.').waitFor();

    expect(await revoker.counted()).toEqual({ taps: 5, keystrokes: 17 });

    const restorer = await onPhone('restorer');

    await restorer.page.getByRole('link', { name: /^1 key is revoked/ }).tap();
    await restorer.page.getByText(/^Revoked .* by revoker@local\.onmicrosoft\.com: “Leaked”/).waitFor();

    const scope = restorer.page.getByRole('region', { name: 'Restore' });

    await scope.getByText(/^2 storage accounts.*; \d services? seen refusing$/).waitFor();
    await scope.getByText(/^\d versions?: [\da-f]{8}/).waitFor();
    await type(scope.getByLabel('Why'), 'False alarm');
    await scope.getByRole('button', { name: `Restore ${archive}` }).tap();
    await restorer.page.getByText('The key is restored.').waitFor();

    expect(await restorer.counted()).toEqual({ taps: 3, keystrokes: 11 });
  });

  it('The page tells the revoker that another person has to restore', async () => {
    const { page } = await as('operator', '#/break-glass/kv-files/archive-key', { provoked: answersOf('403') });

    await page.getByLabel('Why').fill('Two people');
    await page.getByLabel(/^Type/).fill('kv-files/archive-key');
    await page.getByRole('button', { name: 'Revoke kv-files/archive-key' }).click();
    await page.getByText('You revoked this key.').waitFor();
    await page.getByRole('region', { name: 'Restore' }).getByLabel('Why').fill('Alone');
    await page.getByRole('button', { name: 'Restore kv-files/archive-key' }).click();

    const refusal = page.getByRole('alert').filter({ hasText: 'SecondPersonNeeded' });

    await refusal.getByText('Next step').waitFor();

    const other = await as('second-operator', '#/break-glass/kv-files/archive-key');

    await other.page.getByRole('region', { name: 'Restore' }).getByLabel('Why').fill('Together');
    await other.page.getByRole('button', { name: 'Restore kv-files/archive-key' }).click();
    await other.page.getByText('The key is restored.').waitFor();
  });
});

describe('requests of a key', () => {
  it('The page lists the requests of a key by version, with their callers and the gaps of the log', async () => {
    const accounts = [...app.azure.world.storageAccounts.values()].filter(({ name }) => name.startsWith('strecords'));
    const principals = accounts.flatMap(({ identity }) => identity?.principalId ?? []);
    const [account] = accounts;
    if (!account || principals.length === 0) throw new Error('The sample fleet has changed.');

    await app.advance(2 * 3_600_000);

    // Reads the log, and has it written up to now. The app caches the status of a key, so no other test shows this one.
    await app.call('operator', 'POST', '/keys/kv-records/records-key/revoke?dryRun=true');
    await app.advance(5 * 3_600_000);

    // As if the log had been off meanwhile.
    for (const one of app.azure.world.storageAccounts.values()) one.loggedUntilMs = app.azure.clock.nowMs();

    await app.advance(2 * 3_600_000);

    const { page } = await as('operator', '#/keys/kv-records/records-key');
    const log = page.getByRole('region', { name: 'Key usage from the vault’s log' });

    await log.getByText(/^The vault’s log has entries from .* to .* Use before and after/).waitFor();
    await log.getByText(/^\d+ gaps? in the log, the latest from .* to .*: no client called the vault/).waitFor();

    const current = account.encryption.keyvaultproperties?.keyversion ?? '';
    const row = log.getByRole('row').filter({ has: page.getByRole('rowheader', { name: current.slice(0, 8) }) });

    expect(await row.getByText(new RegExp(`by (?:${principals.join('|')})`)).count()).toBeGreaterThan(0);

    await page.getByText("last request in the vault's log").waitFor({ state: 'attached' });
  });
});

describe('unknowns of a key', () => {
  /** The answer about a key with some of it replaced, as it takes weeks, or a Storage that is slow, to have it so. */
  async function withStatus(view: string, change: object) {
    const { page } = await as('operator', '#/keys');
    await page.route(/\/api\/keys\/kv-files\/archive-key$/, async (route) => {
      const response = await route.fetch({ headers: { ...route.request().headers(), 'if-none-match': '' } });
      await route.fulfill({ response, json: { ...((await response.json()) as object), ...change } });
    });
    await page.goto(`${app.url}/${view}`);
    return page;
  }

  const at = (hour: number): string => `2026-10-01T${String(hour).padStart(2, '0')}:00:00.000Z`;

  it('The page lists what is unknown of a key: gaps of the log, incomplete requests and missing versions', async () => {
    const gaps = [20, 16, 12, 8, 4].map((hour) => ({ from: at(hour - 3), to: at(hour) }));
    const versions = [
      { version: 'f'.repeat(32), wrapped: { on: at(2), appId: 'app-of-a-client' } },
      { other: { on: at(3) } },
    ];
    const usage = { trackedSince: at(0), trackedUntil: at(21), gaps, versions };
    const page = await withStatus('#/keys/kv-files/archive-key', { usage });
    const log = page.getByRole('region', { name: 'Key usage from the vault’s log' });

    await log.getByText(/^5 gaps in the log, the latest from /).waitFor();

    const rows = await log.getByRole('row').allInnerTexts();
    expect(rows.some((row) => /ffffffff \(not of this key now\).*by application app-of-a-client/s.test(row))).toBe(
      true,
    );
    expect(rows.some((row) => /No version named.*by a client that the log does not name/s.test(row))).toBe(true);
    expect(rows.some((row) => row.match(/not seen/g)?.length === 3)).toBe(true);
  });
});

describe('progress', () => {
  it('The page shows a rotation from its beginning to its end', async () => {
    await app.call('operator', 'POST', '/pause', { reason: 'To watch it', key: 'kv-records/records-key' });

    const { page } = await as('operator');
    const paused = page.getByRole('region', { name: 'Moves' });

    await paused.getByText('Moves onto kv-records/records-key are paused.').waitFor({ timeout: 30_000 });

    const vault = [...app.azure.world.vaults.values()].find(({ name }) => name === 'kv-records');
    if (!vault) throw new Error('The sample fleet has no kv-records.');

    const { token: bearer } = app.azure.tokens.issue(signInOf(app.azure, 'owner'), 'https://vault.azure.net');
    const rotated = await fetch('https://kv-records.vault.azure.net/keys/records-key/rotate?api-version=7.5', {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}` },
    });

    expect(rotated.status).toBe(200);

    const section = page.getByRole('region', { name: 'Rotations under way' });

    await section.getByText('0 of 2').waitFor({ timeout: 30_000 });
    await section.getByText('Paused', { exact: true }).waitFor();
    await paused.getByText('Resume kv-records/records-key').first().click();
    await paused.getByText('At once: 2 pending accounts and scopes move to the newest version.').waitFor();
    await paused.getByLabel('Why').fill('Seen');
    await paused.getByRole('button', { name: 'Resume kv-records/records-key' }).click();
    await section.getByText('No rotation is under way.').waitFor({ timeout: 45_000 });

    const status = await (await app.call('operator', 'GET', '/rotations/kv-records/records-key')).json();
    expect(status).toMatchObject({ state: 'finished', moved: 2, waiting: 0 });

    await page.goto(`${app.url}/#/audit?key=kv-records/records-key`);

    const moves = page.getByRole('row').filter({ hasText: 'account.move' });

    await moves.getByText('2 accounts to kv-records/records-key').waitFor();
    await moves.getByText('2 records').click();
    await moves.getByRole('link', { name: 'strecords01' }).click();
    await page.getByText('Intact').waitFor();
  });

  it('Every view shows the progress of the index until it is built', async () => {
    const { page } = await as('operator', '#/nowhere', { clock: true });
    let listed = 1;

    await page.route(/\/api\/now/, async (route) => {
      const response = await route.fetch({ headers: { ...route.request().headers(), 'if-none-match': '' } });
      const now = (await response.json()) as { fleet: { value?: object } };
      const value = { ...now.fleet.value, listed: listed === 3, subscriptions: { listed, all: 3 } };
      await route.fulfill({ response, json: { ...now, fleet: { ...now.fleet, value } } });
    });

    const notice = page.getByText('The app builds its index: 1 of 3 subscriptions read.');

    for (const view of ['#/', '#/fleet', '#/keys', '#/break-glass', '#/audit', '#/trend']) {
      await page.evaluate(`location.hash = '${view}'`);
      await notice.waitFor();
    }

    listed = 3;
    await page.clock.runFor(11_000);
    await notice.waitFor({ state: 'detached' });
  });

  it('The page shows the last data, marked as old, while the app is down', async () => {
    const { page } = await as('operator', `#/break-glass/${KEY}`, { provoked: answersOf('50[23]') });
    const versions = page.getByRole('region', { name: 'Versions' });

    await versions.getByText('Usable').first().waitFor();
    await app.kill();
    await versions.getByRole('alert').getByText('Next step').waitFor();
    await versions.getByText(/Old: read/).waitFor();

    expect(await versions.getByText('Usable').count()).toBeGreaterThan(0);

    await app.start();
    await versions.getByText(/^Read .* ago$|^Read just now$/).waitFor({ timeout: 45_000 });

    expect(await versions.getByRole('alert').count()).toBe(0);
  });

  it('The page shows a change in Azure within seconds, with its caller, and without a whole check', async () => {
    const archive = [...app.azure.world.storageAccounts.values()].find(({ name }) => name === 'starchive02');
    if (!archive) throw new Error('The sample fleet has no starchive02.');

    const tag = (tags: object) => arm(app.azure, 'PATCH', archive.id, { body: { tags } });
    const { page } = await as('operator');
    const wrong = page.getByRole('region', { name: 'What is wrong' });

    await wrong.getByText(/^Checked/).waitFor();
    await tag({ 'cmk-key': KEY });

    const named = wrong.locator('a', { hasText: 'starchive02' });

    await named.first().waitFor({ state: 'attached', timeout: 60_000 });
    await wrong.getByText(/recent changes? in Azure/).click();
    await wrong.getByText(/^From the change to the finding: p50 \d+(\.\d+)? s, p95/).waitFor();
    await wrong.getByText('storageAccounts write. Changed by').first().waitFor();
    await tag({});
    await wrong.getByText('storageAccounts write. Changed by').nth(1).waitFor({ timeout: 60_000 });
  });

  it('A rotation is checked and started on the page of its key', async () => {
    await app.advance(2 * 3_600_000);
    const { page } = await as('operator', `#/keys/${KEY}`);
    const rotate = page.getByRole('group').filter({ hasText: `Rotate ${KEY}` });
    await rotate.getByText(`Rotate ${KEY}`).first().click();
    await rotate.getByText(/^A new version follows [\da-f]{8}\. The app makes \d+ moves in about/).waitFor();
    expect(await axeFinds(page)).toEqual([]);
    await rotate.getByLabel('Why').fill('Yearly rotation');
    await rotate.getByRole('button', { name: `Rotate ${KEY}` }).click();
    await rotate.getByText('Rotated. Moves begin within seconds.').waitFor();
  });

  it('A re-key is checked and started on the page of its key', async () => {
    const { page } = await as('operator', '#/keys/kv-files/archive-key');
    const rekey = page.getByRole('group').filter({ hasText: 'Re-key kv-files/archive-key' });

    await rekey.getByText('Re-key kv-files/archive-key').click();
    await rekey.getByLabel('To the key').fill(KEY);
    await rekey.getByLabel('Why').fill('One key for both');
    await rekey.getByRole('button', { name: 'Check what would move' }).click();
    await rekey.getByText(`2 accounts would move to ${KEY}.`).waitFor();

    expect(await axeFinds(page)).toEqual([]);

    await rekey.getByRole('button', { name: `Re-key kv-files/archive-key to ${KEY}` }).click();
    await rekey.getByText('Roll back the re-key to kv-files/files-key').first().waitFor();
  });
});
