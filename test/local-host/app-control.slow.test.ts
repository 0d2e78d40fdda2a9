import { describe, it } from 'vitest';
import { rotateKey } from '../../local/azure/key-vault/keys.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';

const app = useApp({ instances: 2, leaseSeconds: 4 });

describe('with an account that the killed app worked on', () => {
  it('another instance moves it when the lease has expired', { timeout: 240_000 }, async () => {
    const key = new TestKey(app.azure.world);
    const account = key.account();
    app.azure.faults.add([{ match: { method: 'PATCH', path: account.name }, times: 1, hang: true }]);
    const since = app.azure.requests.last;
    const next = rotateKey(app.azure.world, key.vault, key.name);
    await eventually('the PATCH hangs', () =>
      app.azure.requests.since(since).some(({ method, status }) => method === 'PATCH' && status === 0),
    );
    await app.kill();
    await app.start();
    // The dead worker's lease expires, and a sweep finds what it left.
    await app.inTime(
      'the account to be moved',
      () => account.encryption.keyvaultproperties?.keyversion === next.version,
      60_000,
    );
    await app.inTime('no work is left', async () => (await app.left()) === 0, 60_000);
  });
});
