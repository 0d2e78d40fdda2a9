import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.ts';
import { useChromium } from './chromium.ts';
import { answersOf, signInBy, useVisits, type Visit } from './page-session.ts';

const KEY = 'kv-files/archive-key';
const VIEW = `#/break-glass/${KEY}`;

const chromium = useChromium();
const app = useApp({ env: { CMK_AUTOFIX: 'none', CMK_STEP_UP: 'c1' } });
// What the API refuses on the way.
const { as } = useVisits(chromium, app, { provoked: answersOf('40[13]') });

beforeAll(() => app.checkDrift());

/** Presses, is refused for want of the proof, gives it, and presses again: what was typed is still there, or it would not be sent. */
async function pressWithProof(visit: Visit, name: string): Promise<void> {
  await proveFor(visit, name);
  await visit.page.getByRole('button', { name }).click();
}

async function proveFor({ page }: Visit, name: string): Promise<void> {
  await page.getByRole('button', { name }).click();
  await page.getByText('StepUpNeeded').first().waitFor();
  await signInBy(page, 'Prove who you are');
  await page.getByText('You have proved who you are. Nothing was changed yet.').waitFor();
}

async function revoke(visit: Visit, subject: string): Promise<void> {
  await visit.page.getByLabel('Why').fill('Stolen laptop');
  await visit.page.getByLabel(/^Type/).fill(subject);
  await pressWithProof(visit, `Revoke ${subject}`);
}

async function restore(view: string, subject: string): Promise<Visit> {
  const restorer = await as('restorer', view);
  await restorer.page.getByLabel('Why').fill('It is found');
  await pressWithProof(restorer, `Restore ${subject}`);
  return restorer;
}

/** Holds the sign-in window at its first step, after a press opened it. The returned function continues it. */
async function holdProof({ page }: Visit, toUrl = (url: string) => url): Promise<() => void> {
  const address = /oauth2\/v2\.0\/authorize/;
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();

  await page.context().route(address, async (route) => {
    reach();
    await released;
    const url = toUrl(route.request().url());
    await route.fulfill({ status: 302, headers: { location: `${url}&held=no` } });
    await page.context().unroute(address);
  });

  const opening = page.waitForEvent('popup');

  await page.getByRole('button', { name: 'Prove who you are' }).click();
  await opening;
  await reached;

  return release;
}

/** What was to come of an answer has come by then. */
async function polledTwice(page: Page): Promise<void> {
  for (const _ of [1, 2]) await page.waitForResponse((response) => response.url().endsWith(`/api/keys/${FILES}`));
}

const REVOKE = /\/revoke$/;
const FILES = 'kv-files/files-key';

/** Has pressed, and is refused for want of the proof. */
async function pressedWithout(who: string): Promise<Visit> {
  const visit = await as(who, `#/break-glass/${FILES}`, { provoked: /^Failed to load resource/ });
  const { page } = visit;
  await page.getByLabel('Why').fill('Words of the revoker');
  await page.getByLabel(/^Type/).fill(FILES);
  await page.getByRole('button', { name: `Revoke ${FILES}` }).click();
  await page.getByText('StepUpNeeded').first().waitFor();
  return visit;
}

describe('while a step-up sign-in is open', () => {
  it('The result of a call that ended during a step-up sign-in stays on the page, as it may have taken effect', {
    timeout: 60_000,
  }, async () => {
    const revoker = await pressedWithout('revoker');
    const { page } = revoker;
    const releaseProof = await holdProof(revoker);

    await page.route(REVOKE, (route) => route.abort());
    await page.getByRole('button', { name: `Revoke ${FILES}` }).click();
    await page.getByText('may have taken effect all the same').waitFor();

    const taken = page.context().waitForEvent('response', (response) => response.url().includes('/oauth2/v2.0/token'));

    releaseProof();
    await taken;
    await polledTwice(page);

    expect(await page.getByText('Nothing was changed yet').count()).toBe(0);
    expect(await page.getByText('may have taken effect all the same').count()).toBe(1);
  });

  it('No call is sent with the token of another person who completes a step-up sign-in', {
    timeout: 60_000,
  }, async () => {
    const revoker = await pressedWithout('revoker');
    const { page } = revoker;
    const releaseProof = await holdProof(
      revoker,
      (url) => `${url.replace(/[?&]login_hint=[^&]*/, '')}&prompt=select_account`,
    );
    const sent: string[] = [];
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();

    await page.route(REVOKE, async (route) => {
      sent.push(route.request().headers().authorization ?? '');
      await answered;
      await route.fulfill({ status: 401, body: '{}' });
    });

    await page.getByRole('button', { name: `Revoke ${FILES}` }).click();
    await page.getByText('Revoking …').waitFor();
    releaseProof();

    const popup = page
      .context()
      .pages()
      .find((one) => one !== page);

    await popup?.getByRole('button', { name: /^operator\b/ }).click();
    await page.getByText('operator@local.onmicrosoft.com').first().waitFor();
    answer();
    await polledTwice(page);

    expect(sent.length).toBe(1);
    expect(await page.getByLabel('Why').inputValue()).toBe('');
    expect(await page.getByText('Your sign-in has ended').count()).toBe(0);
  });

  it('The focus moves to the message about the outcome of a step-up sign-in', { timeout: 60_000 }, async () => {
    const { page } = await pressedWithout('revoker');
    await signInBy(page, 'Prove who you are');
    await page.getByText('You have proved who you are. Nothing was changed yet.').waitFor();
    expect(await page.evaluate('document.activeElement.className')).toBe('answers');
  });
});

describe('where a call needs step-up', () => {
  it('A key whose calls need step-up is revoked and restored after the step-up sign-in', {
    timeout: 120_000,
  }, async () => {
    const revoker = await as('revoker', VIEW);
    await revoke(revoker, KEY);
    await revoker.page.getByText('The key is revoked.').waitFor();
    const { page } = await restore(VIEW, KEY);
    await page.getByText('The key is restored.').waitFor();
  });
});
