import { afterEach, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.ts';
import { useChromium } from './chromium.ts';
import { signInBy, type Visit, type VisitOptions, visitAs } from './page-session.ts';

const KEY = 'kv-files/archive-key';

const chromium = useChromium();
const app = useApp({ env: { CMK_AUTOFIX: 'none', CMK_APPROVALS: 'restore:1', CMK_STEP_UP: 'c1' } });
const opened: Visit[] = [];

async function as(who: string, options: VisitOptions = {}, view = `#/break-glass/${KEY}`): Promise<Visit> {
  const one = await visitAs(chromium.browser, app, who, view, options);
  opened.push(one);
  return one;
}

afterEach(async () => {
  for (const one of opened.splice(0)) {
    // Of the browser itself: what the API refuses on the way.
    const refused = /Failed to load resource: the server responded with a status of 40[13]/;
    expect(one.complaints.filter((text) => !refused.test(text))).toEqual([]);
    await one.close();
  }
});

/** Shows more of who one is, as the API has asked. */
const stepUp = ({ page }: Visit): Promise<void> => signInBy(page, 'Prove who you are');

describe('where a further proof and others are asked for', () => {
  it('a key is revoked after the proof, and restored with the approval of a third person', async () => {
    const revoker = await as('revoker');
    await revoker.page.getByRole('button', { name: 'See what would stop' }).click();
    await revoker.page.getByLabel('Why').fill('Stolen laptop');
    await revoker.page.getByLabel(/^Type/).fill(KEY);
    const press = revoker.page.getByRole('button', { name: `Revoke ${KEY}` });
    await press.click();
    await revoker.page.getByText('StepUpNeeded').first().waitFor();
    await stepUp(revoker);
    // What was typed is still there.
    expect(await revoker.page.getByLabel('Why').inputValue()).toBe('Stolen laptop');
    await press.click();
    await revoker.page.getByText('The key is revoked.').waitFor();

    const restorer = await as('restorer');
    const restore = restorer.page.getByRole('button', { name: `Restore ${KEY}` });
    await restorer.page.getByLabel('Why').fill('It is found');
    await restore.click();
    await restorer.page.getByText('StepUpNeeded').first().waitFor();
    await stepUp(restorer);
    await restore.click();
    await restorer.page.getByText('It waits for approval; nothing was changed.').waitFor();
    await restorer.page.getByRole('button', { name: 'Take it back' }).waitFor();

    // On a machine whose clock is wrong: whether the request has expired is for the app's clock to say.
    const operator = await as('operator', { clock: 12 * 3_600_000 });
    const approve = operator.page.getByRole('button', { name: 'Approve' });
    await approve.click();
    await operator.page.getByText('StepUpNeeded').first().waitFor();
    await stepUp(operator);
    await approve.click();
    await operator.page.getByText('The key is restored.').waitFor();
    await operator.page.getByText('Carried out').first().waitFor();
  });

  it('an account is restored with the approval of a third person', { timeout: 120_000 }, async () => {
    const view = '#/fleet/strecords01';
    const revoker = await as('revoker', {}, view);
    await revoker.page.getByRole('button', { name: 'See what would stop' }).click();
    await revoker.page.getByLabel('Why').fill('One share is being copied');
    await revoker.page.getByLabel(/^Type/).fill('strecords01');
    const press = revoker.page.getByRole('button', { name: 'Revoke strecords01' });
    await press.click();
    await revoker.page.getByText('StepUpNeeded').first().waitFor();
    await stepUp(revoker);
    await press.click();
    await revoker.page.getByText('strecords01 is revoked by itself: nothing gives it access.').waitFor();

    const restorer = await as('restorer', {}, view);
    const restore = restorer.page.getByRole('button', { name: 'Restore strecords01' });
    await restorer.page.getByLabel('Why').fill('It was a backup');
    await restore.click();
    await restorer.page.getByText('StepUpNeeded').first().waitFor();
    await stepUp(restorer);
    await restore.click();
    await restorer.page.getByText('It waits for approval; nothing was changed.').waitFor();
    await restorer.page.getByRole('button', { name: 'Take it back' }).waitFor();

    const operator = await as('operator', {}, '#/');
    const waiting = operator.page.getByRole('region', { name: 'Waiting for approval' });
    await waiting.getByRole('link', { name: /strecords01/ }).click();
    await operator.page.getByText('strecords01 is revoked by itself: nothing gives it access.').waitFor();
    const approve = operator.page.getByRole('button', { name: 'Approve' });
    await approve.click();
    await operator.page.getByText('StepUpNeeded').first().waitFor();
    await stepUp(operator);
    await approve.click();
    await operator.page.getByText('strecords01 is restored.').waitFor();
    await restorer.page.getByText('strecords01 is revoked by itself').waitFor({ state: 'detached' });
  });
});
