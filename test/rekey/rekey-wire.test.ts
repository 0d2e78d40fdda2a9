import { describe, expect, it } from 'vitest';
import { allowStorage } from '../../local/azure/fleet.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { reconcileAndNote } from '../../src/accounts/reconcile-and-note.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import { carryOutRekey } from '../../src/rekey/carry-out.ts';
import { checkRekey } from '../../src/rekey/check-rekey.ts';
import { changeRekey, type RekeyChange } from '../../src/rekey/control-rekey.ts';
import { progressOf } from '../../src/rekey/progress.ts';
import { startRekey } from '../../src/rekey/start-rekey.ts';
import type { Services } from '../../src/services.ts';
import { AtMostEvery } from '../../src/work/at-most-every.ts';
import type { Work } from '../../src/work/messages.ts';
import { DONE, type Outcome } from '../../src/work/outcome.ts';
import { processWork } from '../../src/work/process.ts';
import { TestKey } from '../support/fleet.ts';
import { forgetFleet, useWire } from '../support/wire.ts';

const wire = useWire();
const CALL = { caller: { objectId: '33333333-3333-3333-3333-333333333333', appId: 'test' }, correlationId: 'test' };
const FIT = { problems: [], warnings: [], accounts: 0, withoutRole: [] };

function instance(): Services {
  return { ...wire.services(), sleep: async () => {} };
}

function managed(key: TestKey, services: Services): ManagedKey {
  const found = services.settings.vaults.key(key.id());
  if (!found) throw new Error('The vault is not managed.');
  return found;
}

async function order(from: TestKey, to: TestKey, services: Services, maxFailures = 3): Promise<string> {
  const request = { from: managed(from, services), to: managed(to, services), reason: 'a test', ticket: undefined };
  const ports = { ...services, check: async () => FIT };
  const started = await startRekey({ ...request, maxFailures }, CALL, ports, wire.log);
  return started.order?.id ?? '';
}

async function change(id: string, what: RekeyChange, services: Services): Promise<void> {
  await changeRekey(id, what, 'a test', CALL, { ...services, vaults: services.settings.vaults }, wire.log);
}

/** Does what is sent, in turn, with the time that it waits, until nothing is left but what waits for a person. */
async function carryOut(services: Services): Promise<void> {
  const run = async (work: Work): Promise<Outcome> => {
    if (work.kind === 'rekey') return carryOutRekey(work, services, wire.log);
    return work.kind === 'account' ? reconcileAndNote(work, services, wire.log) : DONE;
  };
  for (let next = wire.sent.shift(); next; next = wire.sent.shift()) {
    const { work, queue: queueName, delaySeconds } = next;
    if (delaySeconds > 600) continue;
    wire.azure.clock.advance(delaySeconds * 1000);
    const received = { entry: work, dequeueCount: 1 };
    const reports = new AtMostEvery(3_600_000);
    await processWork<Work>({ ...services, queueName, received, parse: () => work, run, reports, log: wire.log });
  }
}

const use = ({ encryption }: StorageAccount) => encryption.keyvaultproperties;
const scopesOf = ({ encryptionScopes }: StorageAccount) =>
  [...encryptionScopes.values()].map(({ keyVaultProperties }) => keyVaultProperties?.keyUri);

describe('a re-key over the wire', () => {
  it('moves accounts and scopes, each in its mode, and takes back what it has moved and nothing else', async () => {
    const services = instance();
    const [a, b, third] = [new TestKey(wire.azure.world), new TestKey(wire.azure.world), new TestKey(wire.azure.world)];
    const [pinned, automatic] = [a.account('pinned'), a.account('automaticEmpty')];
    const byScope = third.account('pinned', {
      scopes: [
        { name: 'one', key: a.use('pinned') },
        { name: 'two', key: a.use('automatic') },
      ],
    });
    const [already, wandering] = [b.account('pinned'), a.account('pinned')];
    const before = await wire.raw(pinned.id);
    const id = await order(a, b, services);
    await carryOut(services);

    expect((await services.rekeys.order(id))?.state).toBe('done');
    expect(use(pinned)).toMatchObject({ keyname: b.name, keyversion: b.first.version });
    expect(use(automatic)).toMatchObject({ keyname: b.name, keyversion: '' });
    expect(use(byScope)).toMatchObject({ keyname: third.name });
    expect(scopesOf(byScope)).toEqual([b.id(b.first), b.id()]);
    expect(await progressOf((await services.rekeys.order(id)) ?? fail(), services)).toMatchObject({
      ...{ moved: 5, failed: 0, waiting: 0 },
    });
    const others = ({ properties }: Record<string, unknown>) => {
      const { keyvaultproperties: _, ...rest } = (properties as { encryption: Record<string, unknown> }).encryption;
      return rest;
    };
    expect(others(await wire.raw(pinned.id))).toEqual(others(before));

    Object.assign(use(wandering) ?? {}, { keyname: third.name, keyversion: third.first.version });
    await change(id, 'takeBack', services);
    await carryOut(services);
    expect((await services.rekeys.order(id))?.state).toBe('takenBack');
    expect(use(pinned)).toMatchObject({ keyname: a.name, keyversion: a.first.version });
    expect(use(automatic)).toMatchObject({ keyname: a.name, keyversion: '' });
    expect(scopesOf(byScope)).toEqual([a.id(a.first), a.id()]);
    expect(use(already)).toMatchObject({ keyname: b.name });
    expect(use(wandering)).toMatchObject({ keyname: third.name });
  });

  it('stops when an account cannot be moved, and goes on when that is mended', async () => {
    const services = instance();
    const [a, b] = [new TestKey(wire.azure.world), new TestKey(wire.azure.world, 'kv-records')];
    // Its own identity has its role on the one vault alone.
    const account = a.account('pinned', { identity: undefined as never });
    const ports = { ...services, searched: () => services.subscriptions.list() };
    const check = await checkRekey(managed(a, services), managed(b, services), ports);
    expect(check).toMatchObject({ accounts: 1, problems: [{ reason: 'IdentityWithoutRole' }] });
    const id = await order(a, b, services, 1);
    await carryOut(services);
    expect(await services.rekeys.order(id)).toMatchObject({ state: 'moving', paused: { why: expect.any(String) } });
    const [stopped] = (await services.rekeys.orders()).filter((one) => one.id === id);
    expect(stopped && (await progressOf(stopped, services)).failures).toMatchObject([
      { reason: 'IdentityHasNoAccess' },
    ]);
    expect(use(account)).toMatchObject({ keyname: a.name });

    for (const principal of check.withoutRole) allowStorage(wire.azure.world, b.vault, principal);
    await change(id, 'resume', services);
    await carryOut(services);
    expect((await services.rekeys.order(id))?.state).toBe('done');
    expect(use(account)).toMatchObject({ keyname: b.name });
  });

  it('finds whom the index has lost, and lets one order have a key at a time', async () => {
    const services = instance();
    const [a, b, c] = [new TestKey(wire.azure.world), new TestKey(wire.azure.world), new TestKey(wire.azure.world)];
    const account = a.account('pinned');
    const id = await order(a, b, services);
    await expect(order(b, c, services)).rejects.toMatchObject({ reason: 'RekeyConflict' });
    await expect(order(c, a, services)).rejects.toMatchObject({ reason: 'RekeyConflict' });
    await forgetFleet(wire.connectionString);
    await carryOut(services);
    expect((await services.rekeys.order(id))?.state).toBe('done');
    expect(use(account)).toMatchObject({ keyname: b.name });
    await expect(change(id, 'pause', services)).rejects.toMatchObject({ reason: 'RekeyNotPossible' });
    await expect(change('nobody', 'pause', services)).rejects.toMatchObject({ reason: 'RekeyNotFound' });
  });
});

function fail(): never {
  throw new Error('The order is gone.');
}
