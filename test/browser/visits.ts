import type { Browser } from 'playwright-core';
import { afterEach } from 'vitest';
import type { App } from '../support/app.ts';
import { expectQuiet, type Visit, type VisitOptions, visit, visitAs } from './page-session.ts';

/** Whoever looks at the page in one test. */
export interface Visits {
  /** Opens a view, and signs somebody in. */
  as(who: string, view?: string, options?: VisitOptions): Promise<Visit>;
  /** Opens a view; nobody is signed in. */
  open(view?: string, options?: VisitOptions): Promise<Visit>;
}

/** What the browser writes into its console about each answer of such a status, a pattern. It may do so late. */
export function answersOf(status: string): RegExp {
  return new RegExp(`^Failed to load resource: the server responded with a status of ${status} `);
}

/**
 * For one test file: after each test all that it opened is closed, and nothing was complained of, nor asked of anybody but
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
