import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Chromium for one test file. It sends no requests of its own, and uses no proxy of the environment. */
export function useChromium(): { readonly browser: Browser } {
  let browser: Browser | undefined;
  beforeAll(async () => {
    const executablePath = process.env.CHROMIUM_PATH ?? PLACES.find((place) => existsSync(place));
    if (!executablePath) {
      throw new Error(
        'There is no Chromium: install it (on Debian `apt-get install chromium`), or name it in CHROMIUM_PATH.',
      );
    }
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--no-proxy-server'] });
  });

  afterAll(() => browser?.close());

  return {
    get browser() {
      if (!browser) throw new Error('Chromium runs inside tests and hooks only.');
      return browser;
    },
  };
}
