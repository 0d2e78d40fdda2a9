import { expect, it } from 'vitest';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { routeCalls } from './route-calls.ts';

const wire = useWire();

it.each(['pause', 'resume'])(
  'a %s of a key that neither the index nor its vault knows warns about the name',
  async (id) => {
    const call = routeCalls(wire, 'operator');

    const { status, body } = await call(id, { body: { reason: 'INC-1', key: 'kv-files/filse-key' } });
    expect(status).toBe(200);
    expect(body.warnings).toEqual([expect.stringContaining('kv-files/filse-key')]);
  },
);

it('a pause of an existing key, or of all keys, has no warning', async () => {
  const call = routeCalls(wire, 'operator');
  const { name } = new TestKey(wire.azure.world);

  const own = await call('pause', { body: { reason: 'INC-1', key: `kv-files/${name}` } });
  const all = await call('pause', { body: { reason: 'INC-1' } });

  expect([own.body.warnings, all.body.warnings]).toEqual([[], []]);
});

it.each([
  ['hangs', { hang: true }],
  ['denies access', { answer: { status: 403 } }],
])('a pause of a key is stored while Key Vault %s', async (_, fault) => {
  const call = routeCalls(wire, 'operator');
  const key = new TestKey(wire.azure.world);
  wire.azure.faults.add([{ match: { host: 'kv-files.vault.azure.net' }, ...fault }]);

  const { status, body } = await call('pause', { body: { reason: 'INC-1', key: `kv-files/${key.name}` } });
  expect(status).toBe(200);
  expect(body.pauses).toContainEqual(expect.objectContaining({ key: key.id() }));
  expect(body.warnings).toEqual([]);
});
