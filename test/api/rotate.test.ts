import { expect, it } from 'vitest';
import { handleKeyHistory } from '../../src/api/keys.ts';
import { ROTATE_ROUTE } from '../../src/api/rotate.ts';
import { KEY_HISTORY, type KeyHistory } from '../../src/evidence/key-history.ts';
import { acquireRotation } from '../../src/rotation/rotation-lease.ts';
import { managed, person, refusalOf, versionsOf } from '../break-glass/break-glass-fixture.ts';
import { TestKey } from '../support/fleet.ts';
import { callKey } from '../support/key-calls.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

function rotate(key: TestKey, who: string): Promise<{ readonly from: string; readonly to: string }> {
  const services = wire.services();
  const body = { reason: 'Yearly rotation' };
  const call = { services, log: wire.log, caller: person(who), body, query: { dryRun: false } };
  return callKey(ROTATE_ROUTE.handle, managed(key, services), call);
}

it('two simultaneous calls to rotate a key create one version', async () => {
  const key = new TestKey(wire.azure.world, 'kv-files');
  await wire.azure.clock.advance(2 * 3_600_000);

  await Promise.allSettled([rotate(key, 'alice'), rotate(key, 'bob')]);

  expect(versionsOf(key)).toHaveLength(2);
  const newest = versionsOf(key).at(-1)?.version;
  expect(await rotate(key, 'bob')).toEqual({ from: newest, to: newest });
});

it('a call to rotate a key is rejected while the app rotates that key', async () => {
  const key = new TestKey(wire.azure.world, 'kv-files');

  await wire.azure.clock.advance(2 * 3_600_000);

  const services = wire.services();
  const lease = await acquireRotation(managed(key, services), services.leases);

  expect(await refusalOf(rotate(key, 'alice'))).toMatchObject({ reason: 'RotationUnderWay', status: 409 });
  expect(versionsOf(key)).toHaveLength(1);

  await lease?.release();
  await rotate(key, 'alice');

  expect(versionsOf(key)).toHaveLength(2);
});

it('a rotation is rejected while a request of a worker that died may still create a version', async () => {
  const key = new TestKey(wire.azure.world, 'kv-files');

  await wire.azure.clock.advance(2 * 3_600_000);

  const services = wire.services();
  const lease = await acquireRotation(managed(key, services), services.leases);
  const until = new Date(services.now().getTime() + 30_000).toISOString();

  await lease?.save({ from: key.first.version, completes: false, until });
  await lease?.release();

  expect((await refusalOf(rotate(key, 'alice'))).reason).toBe('RotationUnderWay');

  await wire.azure.clock.advance(31_000);
  await rotate(key, 'alice');

  expect(versionsOf(key)).toHaveLength(2);
});

it('the history of a key names who created a version by a call, and not who created the first', async () => {
  const key = new TestKey(wire.azure.world, 'kv-files');
  await wire.azure.clock.advance(2 * 3_600_000);
  const { to } = await rotate(key, 'alice');
  const services = wire.services();

  const history = await callKey<KeyHistory>(handleKeyHistory, managed(key, services), { services });

  const by = { objectId: person('alice').objectId };
  expect(KEY_HISTORY.parse(history).versions).toMatchObject([
    { version: to, complete: true, moved: 0, created: { by, why: 'Yearly rotation' } },
    { version: key.first.version, changes: [] },
  ]);
  expect(history.versions[1]).not.toHaveProperty('created');
});
