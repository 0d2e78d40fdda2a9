import { beforeAll, describe, it } from 'vitest';
import { useApp } from '../support/app.ts';
import { useChromium } from './chromium.ts';
import { checkDrift } from './page-people.ts';
import { signInBy, type Visit } from './page-session.ts';
import { answersOf, useVisits } from './visits.ts';

const KEY = 'kv-files/archive-key';
const VIEW = `#/break-glass/${KEY}`;

const chromium = useChromium();
const app = useApp({ env: { CMK_AUTOFIX: 'none', CMK_APPROVALS: 'restore:1', CMK_STEP_UP: 'c1' } });
// What the API refuses on the way.
const { as } = useVisits(chromium, app, { provoked: answersOf('40[13]') });

beforeAll(() => checkDrift(app));

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
  await visit.page.getByRole('button', { name: 'See what would stop' }).click();
  await visit.page.getByLabel('Why').fill('Stolen laptop');
  await visit.page.getByLabel(/^Type/).fill(subject);
  await pressWithProof(visit, `Revoke ${subject}`);
}

/** Asks for a restore that somebody else has to approve. */
async function askForRestore(view: string, subject: string): Promise<Visit> {
  const restorer = await as('restorer', view, { clock: true });
  const { page } = restorer;
  await page.getByLabel('Why').fill('It is found');
  await proveFor(restorer, `Restore ${subject}`);
  // What is seen from here on was asked for because of the press, and not because it was time to.
  await page.clock.pauseAt(Date.now() + 1_000);
  await page.getByRole('button', { name: `Restore ${subject}` }).click();
  await page.getByText('It waits for approval; nothing was changed.').waitFor();
  await page.getByRole('button', { name: 'Take it back' }).waitFor();
  await page.clock.resume();
  return restorer;
}

describe('where a further proof and others are asked for', () => {
  it('a key is revoked after the proof, and restored with the approval of a third person', {
    timeout: 120_000,
  }, async () => {
    const revoker = await as('revoker', VIEW);
    await revoke(revoker, KEY);
    await revoker.page.getByText('The key is revoked.').waitFor();
    await askForRestore(VIEW, KEY);

    // On a machine whose clock is wrong: whether the request has expired is for the app's clock to say.
    const operator = await as('operator', VIEW, { clock: 12 * 3_600_000 });
    await pressWithProof(operator, 'Approve');
    await operator.page.getByText('The key is restored.').waitFor();
    await operator.page.getByText('Carried out').first().waitFor();
  });

  it('so is an account, on its own page', { timeout: 120_000 }, async () => {
    const view = '#/fleet/strecords01';
    const revoker = await as('revoker', view);
    await revoke(revoker, 'strecords01');
    await revoker.page.getByText('strecords01 is revoked by itself: nothing gives it access.').waitFor();
    const restorer = await askForRestore(view, 'strecords01');

    const operator = await as('operator');
    const waiting = operator.page.getByRole('region', { name: 'Waiting for approval' });
    await waiting.getByRole('link', { name: /strecords01/ }).click();
    await operator.page.getByText('strecords01 is revoked by itself: nothing gives it access.').waitFor();
    await pressWithProof(operator, 'Approve');
    await operator.page.getByText('strecords01 is restored.').waitFor();
    await restorer.page.getByText('strecords01 is revoked by itself').waitFor({ state: 'detached' });
  });
});
