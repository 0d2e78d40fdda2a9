import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { CLIENT_IDS, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { startChild } from '../support/child.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';
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
  await caller.says(/^done$/m);
  const answers = [...caller.output().matchAll(/^(\d+ \w+) (\d+)$/gm)];
  expect(answers.map(([, answer]) => answer)).toEqual(Array(count).fill('200 true'));
  for (const key of own) expect(enabledOf(key)).toEqual(Array(5).fill(false));
  return answers.map(([, , ms]) => Number(ms));
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

const FOREIGN_EVENTS = 10_000;
const STORM_MS = 60_000;

/** Events of a subscription that concern no key: virtual machines, vaults that are not managed, and the app's own writes. */
function foreignEvent(n: number): object {
  const group = `/subscriptions/${SUBSCRIPTION_ID}/resourcegroups/rg-other/providers`;
  const [subject, operation, appid] = [
    [`${group}/Microsoft.Compute/virtualMachines/vm${n}`, 'Microsoft.Compute/virtualMachines/write', 'c'],
    [`${group}/Microsoft.KeyVault/vaults/kv-${n}`, 'Microsoft.KeyVault/vaults/write', 'c'],
    [
      `${group}/Microsoft.Storage/storageAccounts/st${n}`,
      'Microsoft.Storage/storageAccounts/write',
      CLIENT_IDS.appUserAssigned,
    ],
  ][n % 3] as [string, string, string];

  return {
    id: crypto.randomUUID(),
    source: `/subscriptions/${SUBSCRIPTION_ID}`,
    subject,
    type: 'Microsoft.Resources.ResourceWriteSuccess',
    time: wire.azure.clock.now().toISOString(),
    data: { operationName: operation, correlationId: crypto.randomUUID(), claims: { appid } },
  };
}

/** Delivers them over a minute, each in a request of its own. @returns the statuses of the answers */
async function storm(url: string): Promise<ReadonlySet<number>> {
  const statuses = new Set<number>();
  const startedAt = performance.now();
  const sending: Promise<void>[] = [];
  for (let sent = 0; sent < FOREIGN_EVENTS; ) {
    const due = Math.min(FOREIGN_EVENTS, ((performance.now() - startedAt) / STORM_MS) * FOREIGN_EVENTS);
    for (; sent < due; sent += 1) {
      sending.push(
        deliver(url, foreignEvent(sent)).then((status) => {
          statuses.add(status);
        }),
      );
    }
    await sleep(20);
  }

  await Promise.all(sending);

  return statuses;
}

async function deliver(url: string, event: object): Promise<number> {
  const headers = { 'aeg-event-type': 'Notification', 'content-type': 'application/json' };
  const to = `${url}/runtime/webhooks/eventgrid?functionName=resourceChanged`;
  const answer = await fetch(to, { method: 'POST', headers, body: JSON.stringify(event) });
  await answer.body?.cancel();
  return answer.status;
}

/** Seconds of CPU that a process has taken. */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

it.skipIf(process.platform !== 'linux')(
  '10,000 foreign events in a minute are dropped before any read, within 10 s of CPU, and a revocation at most doubles its time',
  async () => {
    const { url, pid } = app as RunningApp;
    const quiet = await timesOfRevocations(7);
    const before = await cpuSeconds(pid);
    const mark = wire.azure.requests.last;
    const storming = storm(url);

    await sleep(STORM_MS / 2);

    const calls = wire.arm(mark);
    const cpu = 2 * ((await cpuSeconds(pid)) - before);
    const loaded = await timesOfRevocations(7);
    const statuses = await storming;

    console.info(
      `quiet ${quiet.join(', ')} ms; under load ${loaded.join(', ')} ms; ${cpu.toFixed(1)} s of CPU, ${calls.length} ARM calls`,
    );

    expect(statuses).toEqual(new Set([202]));

    // The revocations are changes of their keys; no event is one.
    const changes = await wire.services().changes.recent();
    expect(changes.filter(({ changedBy }) => changedBy.operation !== 'revoke')).toEqual([]);

    // The app lists accounts by itself in that time.
    expect(calls.length).toBeLessThan(FOREIGN_EVENTS / 100);
    expect(cpu).toBeLessThan(10);
    expect(median(loaded)).toBeLessThanOrEqual(Math.max(1_000, 2 * median(quiet)));
  },
);

it('a revocation takes at most a second longer behind six keys that the same person revoked in a vault that hangs', async () => {
  const mark = wire.azure.requests.last;

  wire.azure.faults.add([{ match: { host: 'kv-records.vault.azure.net' }, hang: true }]);

  let answered = 0;
  const hanging = Array.from({ length: 6 }, async () => {
    const name = `kv-records/${new TestKey(wire.azure.world, 'kv-records').name}`;
    const body = { reason: 'All of them, now', confirm: name };
    await app?.call(`/keys/${name}/revoke`, { as: 'operator', method: 'POST', body });
    answered += 1;
  });

  await eventually('six calls wait for the vault', () => {
    const asked = wire.azure.requests.since(mark).filter(({ host }) => host === 'kv-records.vault.azure.net');
    return asked.length >= hanging.length;
  });

  const times = await timesOfRevocations(5);
  const answeredBefore = answered;

  console.info(`behind six that hang ${times.join(', ')} ms`);

  expect(answeredBefore).toBe(0);
  expect(Math.max(...times)).toBeLessThanOrEqual(1_000);

  await Promise.all(hanging);
});

// This test is the last, as the app still processes the flood.
it('a revocation takes at most 5 times its quiet time while another caller sends 200 reads and 300 revocations', async () => {
  const quiet = await timesOfRevocations(9);
  const names = keys(100).map(({ name }) => name);
  const env = { FLOOD_TOKEN: tokenOf(wire.azure, 'revoker') };
  const flood = startChild(join(import.meta.dirname, 'flood.ts'), [app?.url ?? '', 'kv-files', ...names], env);

  onTestFinished(() => {
    flood.process.kill();
  });
  await flood.says(/^under way$/m);

  const loaded = await timesOfRevocations(5);

  console.info(`quiet ${quiet.join(', ')} ms; under load ${loaded.join(', ')} ms`);

  expect(flood.output()).not.toMatch(/^answered/m);

  // Below a second the machine decides.
  expect(median(loaded)).toBeLessThanOrEqual(Math.max(1_000, 5 * median(quiet)));
});
