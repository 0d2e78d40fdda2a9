import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HttpResponseInit } from '@azure/functions';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addAccount, addKeyVersion } from '../../local/azure/fleet.ts';
import { showReport } from '../../src/drift/http/drift-api.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { outsider } from '../drift/outsider.ts';
import { group, storageIdentity, TestKey, vaultNamed } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { useChromium } from './chromium.ts';

const NASTY = '<img src=x onerror="document.title=1">';

/** Runs in the page, which has types of its own: the contrast of each text with what is behind it (WCAG 2.2). */
const CONTRASTS = `(() => {
  const luminance = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map((part) => {
      const value = Number(part) / 255;
      return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$/.test(color)) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('h1, h2, h3, p, dt, dd, b, strong, code, li')].map((element) => {
    const [text, back] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
    return (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
  });
})()`;

const wire = useWire();
const chromium = useChromium();
let server: Server;
let url: string;
let answer: HttpResponseInit;

/** Accounts without their key, since one role is missing. */
const WITHOUT_ROLE = 2_000;

/** The tour's drift, a tag that would like to be more than text, and a fleet that has lost its role. */
beforeAll(async () => {
  const { azure } = wire;
  const them = outsider(azure);
  const key = new TestKey(azure.world);
  key.account('pinned', { tags: { 'cmk-key': NASTY } });
  addKeyVersion(azure.world, key.vault, key.name);
  // An account has an hour to follow.
  azure.clock.advance(2 * 3_600_000);
  await them.storage.storageAccounts.update('rg-files', 'stfiles01', { tags: { 'cmk-key': 'kv-files/files-key' } });
  await them.storage.storageAccounts.update('rg-files', 'stfiles01', {
    encryption: { keySource: 'Microsoft.Storage' },
  });
  const vault = vaultNamed(azure.world, 'kv-records').id.slice(1);
  await them.events.eventSubscriptions.beginDeleteAndWait(vault, 'cmk-keyExpired');
  const identity = storageIdentity(azure.world);
  for (let n = 0; n < WITHOUT_ROLE; n += 1) {
    const name = `stfleet${String(n).padStart(5, '0')}`;
    addAccount(azure.world, group(azure.world), { name, identity, key: key.use() });
  }
  const given = { filter: `assignedTo('${identity.principalId}')` };
  const files = vaultNamed(azure.world, 'kv-files').id.slice(1);
  for await (const { id = '' } of them.roles.roleAssignments.listForScope(files, given)) {
    await them.roles.roleAssignments.deleteById(id.slice(1));
  }
  const services = wire.services();
  await runDriftCheck({ id: 'r1', by: 'timer' }, services, wire.log);
  answer = await showReport('r1', new Headers({ accept: 'text/html' }), services);
  server = createServer((_, response) => {
    response.writeHead(answer.status ?? 200, answer.headers as Record<string, string>);
    response.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/drift`;
}, 300_000);
afterAll(() => void server?.close());

interface Seen {
  readonly page: Page;
  readonly requests: string[];
  readonly complaints: string[];
}

async function open(options: BrowserContextOptions = {}): Promise<Seen> {
  const page = await chromium.browser.newPage(options);
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(url, { waitUntil: 'networkidle' });
  return { page, requests, complaints };
}

describe('the drift report in a browser', () => {
  it('is rendered without a complaint, and fetches nothing', async () => {
    const { page, requests, complaints } = await open();
    expect(requests.filter((request) => !request.startsWith('data:'))).toEqual([url]);
    expect(complaints).toEqual([]);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Drift report');
    const errors = page.getByRole('region', { name: 'Errors' });
    const text = await errors.textContent();
    for (const reason of ['NotCustomerManaged', 'StaleKeyVersion', 'EventSubscriptionMissing', 'UnexpectedKey']) {
      expect(text).toContain(reason);
    }
    // The style is in force: the policy lets it through.
    const border = await page.evaluate<string>("getComputedStyle(document.querySelector('article')).borderLeftWidth");
    expect(Number.parseFloat(border)).toBeGreaterThan(3);
    await page.close();
  });

  it('shows a tag that looks like markup as text', async () => {
    const { page } = await open();
    expect(await page.getByText(NASTY).count()).toBeGreaterThan(0);
    expect(await page.locator('img, script, iframe').count()).toBe(0);
    expect(await page.title()).toMatch(/^Drift report/);
    await page.close();
  });

  it.each([
    [320, 640],
    [360, 740],
    [1280, 800],
  ])('fits a screen of %i × %i without scrolling sideways', async (width, height) => {
    const { page } = await open({ viewport: { width, height } });
    const { scrollWidth, clientWidth } = await page.evaluate<{ scrollWidth: number; clientWidth: number }>(
      '({ scrollWidth: document.documentElement.scrollWidth, clientWidth: document.documentElement.clientWidth })',
    );
    expect(scrollWidth).toBe(clientWidth);
    await page.close();
  });

  it(`is less than 5,000 pixels long on a phone, with ${WITHOUT_ROLE} accounts without their role`, async () => {
    const { page } = await open({ viewport: { width: 390, height: 844 } });
    const text = await page.getByRole('region', { name: 'Errors' }).textContent();
    expect(text).toMatch(/IdentityWithoutRole, 20\d\d resources/);
    expect(text).toContain('az role assignment create --assignee-object-id');
    const height = await page.evaluate<number>('document.documentElement.scrollHeight');
    expect(height).toBeLessThan(5_000);
    await page.close();
  });

  it.each(['light', 'dark'] as const)('has text that stands out from its background: %s', async (colorScheme) => {
    const { page } = await open({ colorScheme });
    const contrasts = await page.evaluate<number[]>(CONTRASTS);
    // WCAG 2.2, level AA.
    expect(Math.min(...contrasts)).toBeGreaterThanOrEqual(4.5);
    await page.close();
  });

  it('is the same when it is saved and opened from a file', async () => {
    const page = await chromium.browser.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    await page.setContent(String(answer.body));
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Drift report');
    expect(complaints).toEqual([]);
    await page.close();
  });
});
