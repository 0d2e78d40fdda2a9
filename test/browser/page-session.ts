import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterEach, expect } from 'vitest';
import type { App } from '../support/app.ts';

/** A browser with the page open. */
export interface Visit {
  readonly page: Page;
  /** What the console said and what was thrown: refusals of the content security policy are among it. */
  readonly complaints: string[];
  /** Addresses of everything that was asked for, in the sign-in window too. */
  readonly requests: string[];
  /** Access, refresh and id tokens that went over the wire. */
  readonly tokens: Set<string>;
  close(): Promise<void>;
}

interface VisitOptions extends BrowserContextOptions {
  /** Whether the time of the page can be moved; or so many milliseconds that it is ahead. */
  readonly clock?: boolean | number;
  /** What the browser itself says to what a test refuses or breaks: no complaint. */
  readonly provoked?: RegExp;
}

/** Opens a view of the page without a sign-in. */
async function visit(browser: Browser, app: Pick<App, 'url'>, view = '#/', options: VisitOptions = {}): Promise<Visit> {
  const { clock, provoked, ...rest } = options;
  const context = await browser.newContext({ timezoneId: 'Europe/Berlin', ...rest });
  if (clock) await context.clock.install({ time: Date.now() + Number(clock === true ? 0 : clock) });

  const complaints: string[] = [];
  const requests: string[] = [];
  const tokens = new Set<string>();

  context.on('console', (message) => {
    if (!provoked?.test(message.text())) complaints.push(message.text());
  });
  context.on('weberror', (error) => complaints.push(error.error().message));

  context.on('request', (request) => {
    requests.push(request.url());
    const bearer = /^Bearer (.+)$/.exec(request.headers().authorization ?? '')?.[1];
    if (bearer) tokens.add(bearer);
  });

  context.on('response', async (response) => {
    if (!response.url().includes('/oauth2/v2.0/token')) return;
    const body = (await response.json().catch(() => ({}))) as Record<string, string>;
    for (const name of ['access_token', 'refresh_token', 'id_token']) {
      if (body[name]) tokens.add(body[name]);
    }
  });

  const page = await context.newPage();

  await page.goto(`${app.url}/${view}`);

  return { page, complaints, requests, tokens, close: () => context.close() };
}

/** Opens a view and signs a user in, in the window that the page opens for it. */
export async function visitAs(
  browser: Browser,
  app: Pick<App, 'url'>,
  who: string,
  view = '#/',
  options: VisitOptions = {},
): Promise<Visit> {
  const opened = await visit(browser, app, view, options);
  await signIn(opened.page, who);
  return opened;
}

export async function signIn(page: Page, who: string): Promise<void> {
  const opening = page.waitForEvent('popup');
  await page.getByRole('button', { name: 'Sign in' }).click();
  const popup = await opening;
  await popup.getByRole('button', { name: new RegExp(`^${who}\\b(?!-)`) }).click();
  await page.getByText(`${who}@local.onmicrosoft.com`).first().waitFor();
}

/** Presses a button that opens the sign-in for a user who has signed in before: it closes by itself. */
export async function signInBy(page: Page, button: string): Promise<void> {
  const opening = page.waitForEvent('popup');
  await page.getByRole('button', { name: button }).click();
  const popup = await opening;
  // The window may close before the test listens for that.
  if (!popup.isClosed()) await popup.waitForEvent('close');
}

/** Neither an error, nor a request to anywhere but the app and its sign-in. */
function expectQuiet({ complaints, requests }: Visit, ...origins: readonly string[]): void {
  // As one text: of a list, a report that is read far from here says only how long it is.
  expect(complaints.join('\n')).toBe('');
  const others = requests.filter((url) => !url.startsWith('data:') && !origins.includes(new URL(url).origin));
  expect(others.join('\n')).toBe('');
}

/** The violations that axe-core finds once nothing moves, since a colour in transition is not part of the design. */
export async function axeFinds(page: Page): Promise<readonly string[]> {
  await page.evaluate('Promise.allSettled(document.getAnimations().map(({ finished }) => finished))');
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<{
    violations: { id: string; nodes: { target: string[]; failureSummary?: string }[] }[];
  }>('axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })');
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`),
  );
}

/** By how much it is wider than the screen. */
export function widerThanScreen(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
}

/** The users of the page in one test. */
interface Visits {
  /** Opens a view, and signs a user in. */
  as(who: string, view?: string, options?: VisitOptions): Promise<Visit>;
  /** Opens a view without a sign-in. */
  open(view?: string, options?: VisitOptions): Promise<Visit>;
}

/** What the browser writes into its console about each answer of such a status, a pattern. It may do so late. */
export function answersOf(status: string): RegExp {
  return new RegExp(`^Failed to load resource: the server responded with a status of ${status} `);
}

/**
 * For one test file: after each test all that it opened is closed, and nothing was complained of, nor was any server asked but
 * the app and its sign-in.
 *
 * @param every what all visits have, unless one says otherwise
 */
export function useVisits(
  chromium: { readonly browser: Browser },
  app: Pick<App, 'url' | 'azure'>,
  every: VisitOptions = {},
): Visits {
  const opened: Visit[] = [];
  const kept = async (opening: Promise<Visit>): Promise<Visit> => {
    const one = await opening;
    opened.push(one);
    return one;
  };

  afterEach(async () => {
    const all = opened.splice(0);
    try {
      // An answer that is still being changed.
      await Promise.all(all.map(({ page }) => page.unrouteAll({ behavior: 'ignoreErrors' })));
      for (const one of all) expectQuiet(one, app.url, app.azure.signInUrl);
    } finally {
      await Promise.all(all.map((one) => one.close()));
    }
  });

  return {
    as: (who, view, options) => kept(visitAs(chromium.browser, app, who, view, { ...every, ...options })),
    open: (view, options) => kept(visit(chromium.browser, app, view, { ...every, ...options })),
  };
}
