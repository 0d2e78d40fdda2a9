import { expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addIdentity, allowStorage } from '../../local/azure/fleet.ts';
import { group, TestKey } from '../support/fleet.ts';
import { Procedures, unique } from '../support/procedures.ts';
import { runCmk } from '../support/run-cmk.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const procedures = new Procedures(wire);

it('cmk drift needs Reader on a subscription alone, writes nothing, and says once which rights are missing', async () => {
  const { world, requests } = wire.azure;
  const identity = addIdentity(world, group(world), unique('id-'));
  const key = new TestKey(world);

  allowStorage(world, key.vault, identity.principalId);
  key.account('pinned', { identity });

  for (const [id, { principalId }] of world.roleAssignments) {
    if (principalId === identity.principalId) world.roleAssignments.delete(id);
  }

  const as = procedures.somebodyWith(`/subscriptions/${SUBSCRIPTION_ID}`, 'Reader');
  const since = requests.last;

  const { code, out, err } = await runCmk(procedures, ['drift', '--subscription', SUBSCRIPTION_ID, '-o', 'table'], {
    as,
    columns: 100,
  });

  expect({ code, err }).toMatchObject({ code: 1 });
  expect(out).toMatch(new RegExp(`^error +IdentityWithoutRole +1 +${identity.name} on kv-files `, 'm'));
  expect(out.match(/may not/g)).toEqual(['may not']);
  expect(out).toMatch(/^Not checked, because your sign-in may not: read the keys of the vault \(.*kv-files\);/m);
  const writes = requests.since(since).filter(({ method }) => /^(?:PUT|PATCH|DELETE)$/.test(method));
  expect(writes).toEqual([]);
});
