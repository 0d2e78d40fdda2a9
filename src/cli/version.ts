import { readFileSync } from 'node:fs';

/** Put in by `scripts/bundle-cli.ts`: a file that stands alone has no package.json beside it. */
declare const BUNDLED_VERSION: string | undefined;

/** Version of the command line, which is the project's. */
export function cliVersion(): string {
  if (typeof BUNDLED_VERSION === 'string') return BUNDLED_VERSION;
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return String(version);
}
