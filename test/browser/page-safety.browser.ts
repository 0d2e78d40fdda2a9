import type { Page } from 'playwright-core';
import { afterEach, describe, expect, it } from 'vitest';
import { addKeyVersion } from '../../local/azure/fleet.ts';
import { type SignIn, useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';
import { useChromium } from './chromium.ts';
import { axeFinds, signInBy, useVisits } from './page-session.ts';

// What would have one cut off, or give back, something else than what one sees.

const chromium = useChromium();
const keys: TestKey[] = [];
const app = useApp({
  env: { CMK_AUTOFIX: 'none' },
  prepare: ({ world }) => {
    for (let n = 0; n < 8; n += 1) {
      const key = new TestKey(world, 'kv-records');
      key.account('pinned');
      addKeyVersion(world, key.vault, key.name);
      keys.push(key);
    }
  },
});
const { as } = useVisits(chromium, app, {
  provoked: /^Failed to load resource: (the server responded with a status of [45]\d\d|net::)/,
});
afterEach(() => {
  app.azure.faults.clear();
  app.azure.world.settings.failedOverVaults = [];
});

/** A key with two versions and an account, which no other test here touches. */
function freshKey(): TestKey {
  const key = keys.pop();
  if (!key) throw new Error('Too few keys are prepared.');
  return key;
}

async function call<T>(who: SignIn, path: string, body: object): Promise<T> {
  const response = await app.call(who, 'POST', path, body);
  expect(response.status, path).toBe(200);
  return (await response.json()) as T;
}

async function revokeByApi({ name }: TestKey): Promise<string> {
  const confirm = `kv-records/${name}`;
  const answer = await call<{ revocation: { id: string } }>('revoker', `/keys/${confirm}/revoke`, {
    reason: 'By the API',
    confirm,
  });
  return answer.revocation.id;
}

const view = ({ name }: TestKey) => `#/break-glass/kv-records/${name}`;

async function fillRevocation(page: Page, { name }: TestKey): Promise<void> {
  await page.getByText('1 storage account with').waitFor();
  await page
    .getByRole('region', { name: /^Revoke/ })
    .getByLabel('Why')
    .fill('Stolen laptop');
  await page.getByLabel(/^Type/).fill(`kv-records/${name}`);
}

const pressRevoke = (page: Page, { name }: TestKey) =>
  page.getByRole('button', { name: `Revoke kv-records/${name}` }).click();

describe('an address that an attacker made', () => {
  it('An address whose path leaves the API opens no view and sends no request', async () => {
    const { page, requests } = await as('operator', '#/break-glass/../rekeys');
    for (const hash of ['#/break-glass/kv-files/..', '#/fleet/..', '#/audit/.', '#/keys/%2e%2e/drift']) {
      await page.getByRole('heading', { name: 'No such view' }).waitFor();
      await page.goto(`${app.url}/#/nowhere/${hash.length}`);
      await page.goto(`${app.url}/${hash}`);
    }
    await page.getByRole('heading', { name: 'No such view' }).waitFor();
    expect(requests.filter((url) => url.includes('/api/'))).toEqual([]);
  });
});

describe('a revocation', () => {
  it('An incomplete revocation is shown as such, and can be sent again as it was typed', async () => {
    const key = freshKey();
    const { page } = await as('revoker', view(key));

    await fillRevocation(page, key);
    app.azure.faults.add([
      { match: { method: 'PATCH', path: `^/keys/${key.name}/${key.first.version}` }, answer: { status: 403 } },
    ]);
    await pressRevoke(page, key);
    await page.getByRole('alert').getByText('RevocationIncomplete').waitFor();
    await page.getByText(`kv-records/${key.name} is not revoked yet: 1 of 2 versions is enabled.`).waitFor();

    expect(await page.getByText('is revoked').count()).toBe(0);

    app.azure.faults.clear();

    expect(await page.getByLabel('Why').inputValue()).toBe('Stolen laptop');

    await pressRevoke(page, key);
    await page.getByText('The key is revoked.').waitFor();
    await page.getByText(`kv-records/${key.name} is revoked: every version of it is disabled.`).waitFor();
  });

  it('A revocation in a vault that is failed over shows VaultReadOnly and the command of the second way', async () => {
    const key = freshKey();
    const { page } = await as('revoker', view(key));

    await fillRevocation(page, key);
    app.azure.world.settings.failedOverVaults = ['kv-records'];
    await pressRevoke(page, key);
    await page.getByRole('alert').getByText('VaultReadOnly').waitFor();

    const command = "cmk account revoke '<account>' --shared --reason '<why>'";
    await page.locator('pre').getByText(command).waitFor();

    expect(await page.getByText('is revoked').count()).toBe(0);
  });

  it('A revocation works by the keyboard alone, and each result gets the focus and is announced once', async () => {
    const key = freshKey();
    const { page } = await as('revoker', view(key), { colorScheme: 'dark', viewport: { width: 320, height: 640 } });
    const focused = () => page.evaluate<string>('document.activeElement?.textContent?.trim() ?? ""');

    await page.getByText('1 storage account with').waitFor();
    await page.getByRole('button', { name: 'Repeat the dry run' }).focus();
    await page.keyboard.press('Tab');
    await page.keyboard.type('By keys alone');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.type(`kv-records/${key.name}`);
    await page.keyboard.press('Enter');
    await page.getByText('The key is revoked.').waitFor();
    await eventually('the answer has the focus', async () => (await focused()).startsWith('The key is revoked.'));
    await page.getByText(`kv-records/${key.name} is revoked: every version of it is disabled.`).waitFor();

    // How long ago it was, and the id of a call, are others each time.
    expect(await page.getByRole('status').filter({ hasText: 'ago' }).count()).toBe(0);

    await page.route('**/api/keys/**', (route) => route.abort());
    await page.getByRole('alert').getByText('Unreached').waitFor();
    await page.unrouteAll({ behavior: 'ignoreErrors' });

    expect(await axeFinds(page)).toEqual([]);
  });

  it('A revocation that the end of a session interrupted is made after a new sign-in', async () => {
    const key = freshKey();
    const { page } = await as('revoker', view(key));

    await fillRevocation(page, key);
    await page.route('**/oauth2/v2.0/token', (route) =>
      route.fulfill({ status: 400, json: { error: 'invalid_grant' } }),
    );
    await page.route('**/api/**', (route) => route.fulfill({ status: 401, body: '' }));
    await pressRevoke(page, key);
    await page.getByText('Your sign-in has ended.').first().waitFor();

    expect(await axeFinds(page)).toEqual([]);

    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await signInBy(page, 'Sign in again');
    await page.getByRole('button', { name: 'Sign in again' }).waitFor({ state: 'detached' });

    expect(await page.getByLabel('Why').inputValue()).toBe('Stolen laptop');

    await pressRevoke(page, key);
    await page.getByText('The key is revoked.').waitFor();
  });

  it('A revocation is sent once, however often the button is pressed', async () => {
    const key = freshKey();
    const { page, requests } = await as('revoker', view(key));
    await fillRevocation(page, key);
    await page.getByRole('button', { name: `Revoke kv-records/${key.name}` }).dblclick();
    await page.getByText('The key is revoked.').waitFor();
    expect(requests.filter((url) => url.endsWith('/revoke'))).toHaveLength(1);
  });
});

describe('a restore', () => {
  it('A restore applies to the revocation on the page, and its form starts empty after a newer revocation', async () => {
    const key = freshKey();
    const first = await revokeByApi(key);
    const { page } = await as('restorer', view(key));
    const restore = page.getByRole('region', { name: 'Restore' });

    await restore.getByLabel('Why').fill('False alarm');
    await page.locator('.headline').getByText(first).waitFor();
    await revokeByApi(key);
    await restore.getByRole('alert').getByText('It has been revoked again since you came here').waitFor();

    expect(await restore.getByLabel('Why').inputValue()).toBe('');

    await restore.getByRole('button', { name: `Restore kv-records/${key.name}` }).click();

    expect(await page.getByText('The key is restored.').count()).toBe(0);
  });

  it('A restore whose answer is lost is confirmed by the status that is read afterwards', async () => {
    const key = freshKey();

    await revokeByApi(key);

    const { page } = await as('restorer', view(key));
    const restore = page.getByRole('region', { name: 'Restore' });

    await restore.getByLabel('Why').fill('False alarm');
    await page.route('**/restore', async (route) => {
      await route.fetch();
      await route.abort();
    });
    await restore.getByRole('button', { name: `Restore kv-records/${key.name}` }).click();
    await page.getByRole('status').getByText('It is not revoked any more.').waitFor();

    expect(await page.getByRole('alert').count()).toBe(0);
  });

  it('A restore sends the id of the revocation that is shown, even in a stale tab', async () => {
    const key = freshKey();
    const first = await revokeByApi(key);
    const { page } = await as('restorer', view(key));
    const restore = page.getByRole('region', { name: 'Restore' });

    await page.locator('.headline').getByText(first).waitFor();

    // The status that this page sees stays as it is, while the key is revoked once more.
    await page.route('**/api/keys/**', (route) =>
      route.request().method() === 'GET' ? route.abort() : route.continue(),
    );
    await revokeByApi(key);
    await restore.getByLabel('Why').fill('False alarm');
    await restore.getByRole('button', { name: `Restore kv-records/${key.name}` }).click();
    await page.getByRole('alert').getByText('OtherRevocation').waitFor();
    await page.unrouteAll({ behavior: 'ignoreErrors' });
  });
});

describe('a dry run', () => {
  it('A rejected dry run can be sent again, and its result for one key is never shown for another', async () => {
    const { page } = await as('revoker', '#/keys');

    await page.route('**/revoke?dryRun=true', (route) => route.fulfill({ status: 503, body: 'away' }), { times: 1 });
    await page.goto(`${app.url}/#/break-glass/kv-files/archive-key`);
    await page.getByRole('alert').getByText('Status503').waitFor();
    await page.getByRole('button', { name: 'Repeat the dry run' }).click();
    await page.getByText('2 storage accounts with').waitFor();
    await page.goto(`${app.url}/#/break-glass/kv-files/files-key`);
    await page.getByRole('heading', { name: 'Break-glass: kv-files/files-key' }).waitFor();

    expect(await page.getByText('2 storage accounts with').count()).toBe(0);

    // One that is late comes to a view that was left.
    await page.route('**/archive-key/revoke?dryRun=true', async (route) => {
      const response = await route.fetch();
      await page.getByRole('heading', { name: 'Break-glass: kv-files/files-key' }).waitFor();
      await route.fulfill({ response }).catch(() => undefined);
    });

    const late = page.waitForRequest('**/archive-key/revoke?dryRun=true');

    await page.goBack();
    await page.getByRole('heading', { name: 'Break-glass: kv-files/archive-key' }).waitFor();
    await late;
    await page.goForward();
    await page.getByText('8 storage accounts with').waitFor();

    expect(await page.getByText('2 storage accounts with').count()).toBe(0);
  });
});

describe('a user of the page', () => {
  it('A user leaves no data behind after a sign-out, even if the browser goes back', async () => {
    const { page } = await as('operator', '#/keys');
    await page.getByRole('link', { name: 'kv-files/files-key' }).waitFor();
    // The page stays, as in the back/forward cache of a browser.
    await page.route('**/logout?**', (route) => route.fulfill({ status: 204 }));
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(await page.getByText('kv-files').count()).toBe(0);
    expect(await page.getByText('operator@').count()).toBe(0);
  });

  it('A user leaves no data to the next user after the session has ended', async () => {
    const { page } = await as('operator', '#/break-glass/kv-files/files-key');

    await page.getByText('8 storage accounts with').waitFor();
    await page.getByLabel('Why').fill('Of the operator');
    await app.advance(25 * 3_600_000);
    await page.getByText('Your sign-in has ended.').waitFor({ timeout: 45_000 });

    expect(await page.getByLabel('Why').inputValue()).toBe('Of the operator');

    await page.context().clearCookies();

    const opening = page.waitForEvent('popup');

    await page.getByRole('button', { name: 'Sign in again' }).click();
    await (await opening).getByRole('button', { name: /^revoker/ }).click();
    await page.getByText('revoker@local.onmicrosoft.com').first().waitFor();
    await eventually('the form is empty', async () => (await page.getByLabel('Why').inputValue()) === '');
  });
});

describe('an unexpected answer', () => {
  it('An unexpected answer breaks one view at most, which can be read again', async () => {
    const { page } = await as('operator', '#/trend');
    await page.getByText('Revocations').first().waitFor();
    await page.route('**/api/keys', (route) => route.fulfill({ json: { value: [{}] } }), { times: 1 });
    await page.getByRole('link', { name: 'Keys', exact: true }).click();
    await page.getByRole('heading', { name: 'This view failed' }).waitFor();
    expect(await axeFinds(page)).toEqual([]);
    await page.getByRole('button', { name: 'Read it again' }).click();
    await page.getByRole('link', { name: 'kv-files/files-key' }).waitFor();
  });

  it('An unexpected answer becomes a problem with a next step', async () => {
    const { page } = await as('operator', '#/nowhere');

    for (const [answer, reason] of [
      [{ status: 200, body: '{"value": [' }, 'AnswerUnreadable'],
      [{ status: 200, contentType: 'text/html', body: '<h1>Sign in to the network</h1>' }, 'AnswerUnreadable'],
      [{ status: 429, headers: { 'retry-after': '7' }, body: '' }, 'Status429'],
      [{ status: 500, body: 'oops' }, 'Status500'],
    ] as const) {
      await page.route('**/api/keys', (route) => route.fulfill(answer));
      await page.evaluate("location.hash = '#/keys'");

      const alert = page.getByRole('alert');

      await alert.getByText(reason).waitFor();

      expect(await alert.getByText('Next step').count(), reason).toBe(1);

      await page.evaluate("location.hash = '#/nowhere'");
      await alert.waitFor({ state: 'detached' });
      await page.unrouteAll({ behavior: 'ignoreErrors' });
    }
  });

  it('A missing answer leaves no "Healthy" of old data on the page', async () => {
    const { page } = await as('operator', '#/', { clock: true });
    const headline = page.locator('.headline');
    await headline.getByText(/\.$/).first().waitFor();
    await page.getByRole('region', { name: 'Fleet' }).getByText('Serving', { exact: true }).waitFor();
    await page.route('**/api/**', (route) => route.abort());
    await page.clock.fastForward(61_000);
    await headline.getByText(/old/).waitFor();
    await page.unrouteAll({ behavior: 'ignoreErrors' });
  });
});
