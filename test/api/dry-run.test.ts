import { expect, it } from 'vitest';
import { breakGlass, enabledOf, keyOf, recordsOf } from '../break-glass/break-glass-fixture.ts';
import { useWire } from '../support/wire.ts';
import { routeCalls } from './route-calls.ts';

const wire = useWire();

it('a restore rejects dryRun=true, a parameter that it does not have, and the key stays revoked', async () => {
  const key = keyOf(wire.azure, 2);
  const { revocation } = await breakGlass(wire).revoke(key, wire.services());
  const records = recordsOf(key);
  const seen = wire.azure.requests.last;
  const call = routeCalls(wire, 'restorer');
  const body = { reason: 'Only a look', revocation: revocation?.id };

  const answer = await call('restoreKey', { vault: 'kv-files', key: key.name, query: '?dryRun=true', body });
  expect(answer).toMatchObject({ status: 400, body: { reason: 'QueryInvalid' } });
  expect(enabledOf(key)).toEqual([false, false]);
  expect(recordsOf(key)).toEqual(records);
  expect(wire.azure.requests.since(seen).filter(({ host }) => host === 'kv-files.vault.azure.net')).toEqual([]);
});
