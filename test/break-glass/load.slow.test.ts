import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startChild } from '../support/child.ts';
import type { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { enabledOf, keyOf } from './break-glass-fixture.ts';
import { type Answer, type Bundles, makeBundles, type RunningApp, startApp, tokenOf } from './running-app.ts';

let app: RunningApp | undefined;
const wire = useWire({ functionsHost: () => app?.url });
let bundles: Bundles;

beforeAll(async () => {
  bundles = await makeBundles();
  app = await startApp(bundles, wire.azure, wire.connectionString);
});
afterAll(async () => {
  await app?.stop();
  await bundles?.remove();
});

function call(key: TestKey, as: string): Promise<Answer> {
  if (!app) throw new Error('The app does not run.');
  const name = `${key.vault.name}/${key.name}`;
  return app.call(`/keys/${name}/revoke`, {
    method: 'POST',
    as,
    body: { reason: 'A laptop was stolen', confirm: name },
  });
}

/** Milliseconds until a key of its own is revoked. */
async function timeOfRevocation(): Promise<number> {
  const key = keyOf(wire.azure, 5);
  const started = performance.now();
  const { status, body } = await call(key, 'operator');
  const ms = performance.now() - started;
  expect({ status, complete: body.complete }).toEqual({ status: 200, complete: true });
  expect(enabledOf(key)).toEqual(Array(5).fill(false));
  return ms;
}

function middle(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

it('200 status calls and 300 revocations by one caller keep nobody else waiting for more than 5 times as long', async () => {
  const flooded = keyOf(wire.azure, 5);
  await timeOfRevocation(); // tokens and connections are there from now on
  const quiet = middle([await timeOfRevocation(), await timeOfRevocation(), await timeOfRevocation()]);

  const underLoad: number[] = [];
  for (const _ of [1, 2, 3]) {
    const flood = startChild(
      join(import.meta.dirname, 'flood.ts'),
      [app?.url ?? '', `/keys/kv-files/${flooded.name}`],
      {
        FLOOD_TOKEN: tokenOf(wire.azure, 'revoker'),
      },
    );
    await flood.says(/^under way$/m, 30_000);
    underLoad.push(await timeOfRevocation());
    const [, statuses] = await flood.says(/^answered (.*)$/m, 60_000);
    expect(statuses).toBe('500 with 200');
  }

  console.info(`quiet ${Math.round(quiet)} ms, under load ${underLoad.map(Math.round).join(', ')} ms`);
  expect(middle(underLoad)).toBeLessThan(5 * quiet);
  expect(enabledOf(flooded)).toEqual(Array(5).fill(false));
}, 120_000);
