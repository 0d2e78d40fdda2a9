import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { enabledOf, keyOf } from './break-glass-fixture.ts';
import { type Answer, type Bundles, makeBundles, type RunningApp, startApp } from './running-app.ts';

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

function call(key: TestKey, action: string, as: string): Promise<Answer> {
  if (!app) throw new Error('The app does not run.');
  const path = `/keys/${key.vault.name}/${key.name}`;
  if (action === 'status') return app.call(path, { as });
  const body = { reason: 'A laptop was stolen', ticket: 'INC-1', confirm: `${key.vault.name}/${key.name}` };
  return app.call(`${path}/revoke`, { method: 'POST', as, body });
}

/** Milliseconds until a key of its own is revoked. */
async function timeOfRevocation(): Promise<number> {
  const key = keyOf(wire.azure, 5);
  const started = performance.now();
  const { status, body } = await call(key, 'revoke', 'operator');
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
    const flood = [
      ...Array.from({ length: 200 }, () => call(flooded, 'status', 'revoker')),
      ...Array.from({ length: 300 }, () => call(flooded, 'revoke', 'revoker')),
    ];
    underLoad.push(await timeOfRevocation());
    expect((await Promise.all(flood)).map(({ status }) => status)).toEqual(Array(500).fill(200));
  }

  console.info(`quiet ${Math.round(quiet)} ms, under load ${underLoad.map(Math.round).join(', ')} ms`);
  expect(middle(underLoad)).toBeLessThan(5 * quiet);
  expect(enabledOf(flooded)).toEqual(Array(5).fill(false));
}, 120_000);
