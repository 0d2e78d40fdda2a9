import { expect, it } from 'vitest';
import { revoke } from '../../src/revocation/revoke.ts';
import { MemoryVault } from '../properties/memory-vault.ts';
import { eventually } from '../support/eventually.ts';
import { KEY, REVOKER } from '../support/keys.ts';

it('disables every version before anything beside it has answered: dependents, queue and audit trail', async () => {
  const vault = new MemoryVault({ copiesTags: false, seed: 1 });
  for (let n = 0; n < 3; n += 1) await vault.create({}, true);
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const call = {
    caller: { objectId: REVOKER.revokedBy, appId: 'app' },
    correlationId: 'c',
    why: 'w',
    ticket: undefined,
  };
  const revoking = revoke(
    KEY,
    call,
    {
      keys: vault.keys,
      now: () => vault.now(),
      sleep: async () => {},
      newId: () => REVOKER.id,
      dependents: () => gate.then(() => 'two accounts'),
      queue: { send: () => gate },
      audit: () => gate.then(() => ({ failed: 'out of reach' })),
    },
    () => {},
  );
  await eventually('every version is disabled', async () => (await vault.truth()).every(({ enabled }) => !enabled));
  open();
  expect(await revoking).toMatchObject({ complete: true, dependents: 'two accounts', audit: 'out of reach' });
});
