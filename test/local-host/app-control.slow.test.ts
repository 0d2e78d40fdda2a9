import { describe, it } from 'vitest';
import { rotateKey } from '../../local/azure/key-vault/keys.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';

const app = useApp({ instances: 2, leaseSeconds: 4 });

describe('with a message that the killed app worked on', () => {
  it('another instance takes it when its lease ends', { timeout: 240_000 }, async () => {
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
    // The dead holder's lease of the account runs out; what it has under way is waited for after that, by two more.
    const waits = () => app.records().filter(({ message }) => message.includes('may still take effect')).length;
    for (let leases = 1; leases <= 3; leases += 1) {
      await app.advance(61_000);
      if (leases < 3) await eventually('the account is left alone', () => waits() === leases, 60_000);
    }
    await eventually(
      'the account to be moved',
      () => account.encryption.keyvaultproperties?.keyversion === next.version,
      60_000,
    );
    await app.settled();
  });
});
