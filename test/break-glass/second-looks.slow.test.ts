import { describe, expect, it } from 'vitest';
import { requestPasses } from '../../src/revocation/follow-ups.ts';
import { keepRevoked } from '../../src/revocation/keep-revoked.ts';
import { REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { revokeKey } from '../../src/revocation/revoke.ts';
import { verifyRevocation } from '../../src/revocation/verify-revocation.ts';
import type { Services } from '../../src/services.ts';
import type { RevocationWork } from '../../src/work/messages.ts';
import { auditLines } from '../support/audit-lines.ts';
import type { TestKey } from '../support/fleet.ts';
import { keyStatus } from '../support/key-calls.ts';
import { useWire } from '../support/wire.ts';
import {
  addVersion,
  breakGlass,
  enabledOf,
  keyOf,
  managed,
  objectId,
  recordsOf,
  refusalOf,
  revocationOn,
  versionsOf,
} from './break-glass-fixture.ts';

const wire = useWire();
const { revoke, restore } = breakGlass(wire);
const LOOKS = [15, 75, 400, 875];

/** Runs all queued verification passes in the order of their time, long enough after the last write. */
async function verifyAfter(services: Services, seconds = 15): Promise<void> {
  await wire.azure.world.clock.advance(seconds * 1000);
  for (const due of LOOKS) {
    for (const { work, delaySeconds } of [...wire.sent]) {
      if (work.kind !== 'revocation' || delaySeconds !== due) continue;
      const outcome = await verifyRevocation(work, { ...services, keys: services.urgentKeys }, wire.log);
      expect(outcome).toEqual({ outcome: 'done' });
    }
  }
}

/** Reasons and actions of the audit records about a key, oldest first. */
async function trailOf(key: TestKey): Promise<string[]> {
  const lines = await auditLines(wire.connectionString);
  return lines
    .filter((line) => line.includes(`/${key.name}"`))
    .map((line) => JSON.parse(line) as { entry: { action: string; reason: string } })
    .map(({ entry }) => `${entry.action} ${entry.reason}`);
}

const CALL = {
  caller: { objectId: objectId('alice'), appId: 'app' },
  correlationId: 'call-1',
  why: 'A laptop was stolen',
  ticket: undefined,
};

/** A revocation whose process is killed before its audit record. */
async function revokeAndDie(key: TestKey, services: Services): Promise<void> {
  const by = { id: services.newId(), revokedBy: objectId('alice') };
  await requestPasses(managed(key, services), 'revoke', CALL, services);
  await revokeKey(managed(key, services), by, { ...services, keys: services.urgentKeys });
}

describe('the verification passes after a revocation and a restore', () => {
  it('The verification passes are queued beforehand for 15, 75, 400 and 875 seconds later, with the key and the claimed caller', async () => {
    const key = keyOf(wire.azure, 2);
    const services = wire.services();

    await revoke(key, services);
    await restore(key, services);

    const looks = wire.sent.flatMap(({ work, delaySeconds }) =>
      work.kind === 'revocation' ? [{ delaySeconds, ...work }] : [],
    );

    for (const person of ['alice', 'bob']) {
      const of = looks.filter(({ claimed }) => claimed?.caller.objectId === objectId(person));
      expect(of.map(({ delaySeconds }) => delaySeconds).sort((a = 0, b = 0) => a - b)).toEqual(LOOKS);
    }

    const { attempt: _, cause: __, ...fields } = looks[0] ?? {};
    expect(Object.keys(fields).sort()).toEqual(['claimed', 'delaySeconds', 'due', 'key', 'kind']);
  });

  it('The verification passes change nothing, and record nothing twice, when all succeeded', async () => {
    const key = keyOf(wire.azure, 2);
    const services = wire.services();

    await revoke(key, services);
    await verifyAfter(services);

    expect(enabledOf(key)).toEqual([false, false]);

    await restore(key, services);
    await verifyAfter(services);
    await verifyAfter(services);

    expect(enabledOf(key)).toEqual([true, true]);
    expect(await trailOf(key)).toEqual(['key.revoke Revoked', 'key.restore Restored']);
  });

  it('The verification passes record once a revocation whose process was killed before its audit record', async () => {
    const key = keyOf(wire.azure, 2);
    const services = wire.services();

    await revokeAndDie(key, services);

    // Its own process may still record it.
    await verifyAfter(services, 400);

    expect(await trailOf(key)).toEqual([]);

    await verifyAfter(services, 475);
    await verifyAfter(services);

    expect(await trailOf(key)).toEqual(['key.revoke Revoked']);

    const { entry } = JSON.parse((await auditLines(wire.connectionString)).at(-1) ?? '{}');
    const details = { why: CALL.why, claimed: { caller: CALL.caller }, foundIn: 'key-work' };

    expect(entry).toMatchObject({ caller: { objectId: objectId('alice') }, details });
    expect(enabledOf(key)).toEqual([false, false]);
  });

  it('The verification passes are repeated if the trail is still unreachable when the last of them should record', async () => {
    const key = keyOf(wire.azure, 1);
    const services = wire.services();
    const away = { ...services, audit: async () => ({ failed: 'out of reach' }) };

    await revoke(key, away);
    await wire.azure.world.clock.advance(875_000);

    const last = wire.sent.map(({ work }) => work).find((work) => work.kind === 'revocation');
    const look = (of: Services) =>
      verifyRevocation(last as RevocationWork, { ...of, keys: services.urgentKeys }, wire.log);

    expect(await look(away)).toMatchObject({ outcome: 'retry', detail: expect.stringContaining('out of reach') });
    expect(await look(services)).toEqual({ outcome: 'done' });
    expect(await trailOf(key)).toEqual(['key.revoke Revoked']);
  });

  it('The verification passes disable what a late write has enabled, and rewrite the revocation record that it erased', async () => {
    const key = keyOf(wire.azure, 2);
    const services = wire.services();
    const { revocation } = await revoke(key, services);
    const [first, second] = versionsOf(key);
    if (first) Object.assign(first, { enabled: true, tags: { owner: 'files' } });
    if (second) second.enabled = true;

    await verifyAfter(services);

    expect(enabledOf(key)).toEqual([false, false]);
    expect(recordsOf(key).map((record) => record?.[0])).toEqual([revocation?.id, revocation?.id]);
    expect(await restore(key, services)).toMatchObject({ reason: 'Restored' });
    expect(enabledOf(key)).toEqual([true, true]);
  });

  it('The verification passes enable what a late write of the revocation disabled after the restore, whatever tags it erased', async () => {
    const key = keyOf(wire.azure, 2);
    const services = wire.services();

    await revoke(key, services);

    const revoked = structuredClone(versionsOf(key).map(({ enabled, tags }) => ({ enabled, tags })));

    await restore(key, services);

    // Every write of the revocation takes effect again, which erases the tombstones.
    for (const [n, version] of versionsOf(key).entries()) Object.assign(version, structuredClone(revoked[n]));

    await verifyAfter(services);

    expect(enabledOf(key)).toEqual([true, true]);
    expect(recordsOf(key)).toEqual([undefined, undefined]);
  });
});

describe('a reconcile pass', () => {
  it('A reconcile pass completes a restore that was interrupted after its first tag', async () => {
    const key = keyOf(wire.azure, 2);
    const services = wire.services();

    await revoke(key, services);
    wire.azure.faults.add([
      { match: { method: 'PATCH', path: `^/keys/${key.name}/` }, skip: 1, answer: { status: 500, body: {} } },
    ]);

    expect((await refusalOf(restore(key, services))).reason).toBe('RestoreIncomplete');

    wire.azure.faults.clear();

    const { revocation } = await keyStatus(managed(key, services), services);
    expect(revocation?.restoringBy).toBe(objectId('bob'));

    await wire.azure.world.clock.advance(15_000);
    await keepRevoked(managed(key, services), services, wire.log, { alsoLate: true });

    expect(enabledOf(key)).toEqual([true, true]);
    expect(wire.records.map(({ reason }) => reason)).toContain('RestoreFinished');
    expect((await trailOf(key)).at(-1)).toBe('key.finishRestore RestoreFinished');
  });
});

it('A revocation record from the future revokes nothing, blocks no restore, and is an error', async () => {
  const key = keyOf(wire.azure, 2);
  const services = wire.services();
  const [planted] = versionsOf(key);
  const tag = `fake 9999-01-01T00:00:00.000Z ${objectId('mallory')} ${planted?.version}`;
  if (planted) planted.tags = { [REVOCATION_TAG]: tag };

  await keepRevoked(managed(key, services), { ...services, keys: services.urgentKeys }, wire.log);

  expect(enabledOf(key)).toEqual([true, true]);
  expect(wire.records.filter(({ level }) => level === 'error')).toMatchObject([
    { reason: 'RevocationUnbelieved', key: key.id(), version: planted?.version },
  ]);

  const unbelieved = { status: 409, reason: 'RevocationUnbelieved' };
  await expect(restore(key, services, 'bob', 'fake')).rejects.toMatchObject(unbelieved);

  const { revocation } = await revoke(key, services);
  expect(revocation?.id).not.toBe('fake');
  expect(await restore(key, services)).toMatchObject({ reason: 'Restored' });
  expect(enabledOf(key)).toEqual([true, true]);
});

it('The status shows no version as revoked that was disabled before, even if it carries the record', async () => {
  const key = keyOf(wire.azure, 1);
  const [off] = versionsOf(key);
  if (off) off.enabled = false;

  const services = wire.services();

  await revoke(key, services);

  expect(recordsOf(key)[0]?.[4]).toBe('off');

  addVersion(key);
  await keepRevoked(managed(key, services), { ...services, keys: services.urgentKeys }, wire.log);

  const { versions, revocation } = await keyStatus(managed(key, services), services);
  expect(revocation).toMatchObject({ id: revocationOn(key), revokedBy: objectId('alice') });
  expect(versions.map(({ state, revoked }) => [state, revoked])).toEqual([
    ['Disabled', true],
    ['Disabled', false],
  ]);
});

it('all 80 versions of a key are disabled while the second page of every list hangs', async () => {
  const key = keyOf(wire.azure, 80);
  const services = wire.services();

  wire.azure.faults.add([
    {
      match: { host: 'kv-files.*', path: `^/keys/${key.name}/versions\\?.*skiptoken=` },
      skip: 0,
      times: 1,
      hang: true,
    },
  ]);

  const started = Date.now();
  const answer = await revoke(key, services);

  expect(Date.now() - started).toBeLessThan(30_000);
  expect(enabledOf(key)).toEqual(Array(80).fill(false));
  expect(answer).toMatchObject({ complete: true });
});
