import { tourContext } from '../../local/run/tour-context.ts';
import type { DriftReport } from '../../src/drift/report/report.ts';
import { TourContext } from '../../tour/context.ts';
import { pinBack } from '../../tour/drift-steps.ts';
import { Screen } from '../../tour/screen.ts';

// Runs in place of the tour: pins an account back until the app no longer repairs it, so that `npm run examples` has a
// contested change to release.

const MOST_SECONDS = 60;
const env = Object.fromEntries(Object.entries(process.env).map(([name, value = '']) => [name, value]));
const { out, token } = tourContext(env, process.stdout);
const context = new TourContext(env, new Screen(out), token);

// Changes are merged into the report of the last drift check.
await context.api('operator', 'POST', '/drift');
const { properties } = await context.keys('kv-files').rotateKey('files-key');
const isMoved = async (): Promise<true | undefined> => {
  const { encryption } = await context.storage().storageAccounts.getProperties('rg-files', 'stfiles01');
  return encryption?.keyVaultProperties?.keyVersion === properties.version ? true : undefined;
};
await context.until('the move of stfiles01', MOST_SECONDS, isMoved);
const isContested = async (): Promise<boolean> => {
  const { body } = await context.api<DriftReport>('operator', 'GET', '/drift');
  return body.causes?.some(({ reason }) => reason === 'ContestedChange') ?? false;
};
let contested = false;
while (!contested) {
  await pinBack(context);
  contested = await context.until('the repair of stfiles01, or its contest', MOST_SECONDS, async () => {
    if (await isContested()) return true;
    return (await isMoved()) && false;
  });
}
process.send?.({ steps: 1, ok: 1 }, undefined, undefined, () => process.exit(0));
