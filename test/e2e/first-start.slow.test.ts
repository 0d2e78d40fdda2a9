import { expect, it } from 'vitest';
import { useApp } from '../support/app.ts';
import { TestKey } from '../support/fleet.ts';

let files: TestKey | undefined;
const app = useApp({
  env: { CMK_AUTOFIX: 'none' },
  prepare({ world }) {
    files = new TestKey(world);
    files.account();
    files.account('automatic');
    files.add();
  },
});

it('an app without automatic fixes moves no account at its first list of a fleet, nor at a later sweep', async () => {
  const isListed = () => app.records().some(({ reason }) => reason === 'PassDone');
  await app.inTime('the fleet is listed', async () => isListed() && (await app.left()) === 0);
  for (let minutes = 0; minutes < 5; minutes += 1) {
    await app.atRest();
    await app.advance(60_000);
  }
  await app.inTime('nothing is left', async () => (await app.left()) === 0);
  expect(app.arm(0).filter(({ method }) => method === 'PATCH')).toEqual([]);
});
