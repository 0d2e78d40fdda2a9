import { join } from 'node:path';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { startChild } from '../support/child.ts';
import type { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { enabledOf, keyOf } from './break-glass-fixture.ts';
import { type RunningApp, tokenOf } from './running-app.ts';
import { useApps } from './use-running-app.ts';

let app: RunningApp | undefined;
const wire = useWire({ functionsHost: () => app?.url });
const startApp = useApps(wire);

beforeAll(async () => {
  app = await startApp();
  await timesOfRevocations(2); // the first calls fetch signing keys and connections
});

function keys(count: number): readonly TestKey[] {
  return Array.from({ length: count }, () => keyOf(wire.azure, 5));
}

/** Milliseconds that each of so many revocations by one caller takes, one after the other, each of a key of its own. */
async function timesOfRevocations(count: number): Promise<readonly number[]> {
  const own = keys(count);
  const names = own.map(({ name }) => name);
  const env = { REVOKER_TOKEN: tokenOf(wire.azure, 'operator') };
  const caller = startChild(join(import.meta.dirname, 'revoke-each.ts'), [app?.url ?? '', 'kv-files', ...names], env);
  await caller.says(/^done$/m, 120_000);
  const answers = [...caller.output().matchAll(/^(\d+ \w+) (\d+)$/gm)];
  expect(answers.map(([, answer]) => answer)).toEqual(Array(count).fill('200 true'));
  for (const key of own) expect(enabledOf(key)).toEqual(Array(5).fill(false));
  return answers.map(([, , ms]) => Number(ms));
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

it('a revocation takes at most 5 times its quiet time while another caller sends 200 reads and 300 revocations', async () => {
  const quiet = await timesOfRevocations(9);
  const names = keys(100).map(({ name }) => name);
  const env = { FLOOD_TOKEN: tokenOf(wire.azure, 'revoker') };
  const flood = startChild(join(import.meta.dirname, 'flood.ts'), [app?.url ?? '', 'kv-files', ...names], env);
  onTestFinished(() => void flood.process.kill());
  await flood.says(/^under way$/m, 30_000);
  const loaded = await timesOfRevocations(5);
  console.info(`quiet ${quiet.join(', ')} ms; under load ${loaded.join(', ')} ms`);
  expect(flood.output()).not.toMatch(/^answered/m);
  expect(median(loaded)).toBeLessThanOrEqual(5 * median(quiet));
}, 240_000);
