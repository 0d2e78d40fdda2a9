import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startChild } from '../support/child.ts';
import { useWire } from '../support/wire.ts';
import { enabledOf, keyOf } from './break-glass-fixture.ts';
import { type RunningApp, tokenOf } from './running-app.ts';
import { useApps } from './use-running-app.ts';

let app: RunningApp | undefined;
const wire = useWire({ functionsHost: () => app?.url });
const startApp = useApps(wire);

// How much longer it takes than on a quiet machine is for `load.long.test.ts`.
it('a revocation overtakes 200 reads and 300 revocations that another caller has sent before', async () => {
  app = await startApp();

  const own = keyOf(wire.azure, 5);
  const names = Array.from({ length: 100 }, () => keyOf(wire.azure, 5).name);
  const env = { FLOOD_TOKEN: tokenOf(wire.azure, 'revoker') };
  const flood = startChild(join(import.meta.dirname, 'flood.ts'), [app.url, 'kv-files', ...names], env);

  onTestFinished(() => {
    flood.process.kill();
  });
  await flood.says(/^under way$/m);

  const name = `kv-files/${own.name}`;
  const body = { reason: 'A laptop was stolen', confirm: name };
  const answer = await app.call(`/keys/${name}/revoke`, { as: 'operator', method: 'POST', body });

  expect(answer).toMatchObject({ status: 200, body: { complete: true } });
  expect(enabledOf(own)).toEqual(Array(5).fill(false));
  expect(flood.output()).not.toMatch(/^answered/m);
});
