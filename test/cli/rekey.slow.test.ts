import { QueueServiceClient } from '@azure/storage-queue';
import { beforeEach, describe, expect, it } from 'vitest';
import { addAccount, addKeyVersion, addVault } from '../../local/azure/fleet.ts';
import { createAppStorage } from '../../local/run/app-storage-client.ts';
import { useAzurite } from '../support/azurite.ts';
import { unique, useProcedures } from '../support/procedures.ts';
import { runCmk } from '../support/run-cmk.ts';

const azurite = useAzurite();
const procedures = useProcedures();
const env = () => ({ AzureWebJobsStorage: azurite.connectionString });
const cmk = (...args: string[]) => runCmk(procedures, args, { env: env() });

beforeEach(async () => {
  await createAppStorage(azurite.connectionString);
  await QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient('key-work').clearMessages();
});

describe('cmk rekey', () => {
  it('says what stands in the way, gives roles when asked to, and starts, pauses, resumes and cancels', async () => {
    const { group, vault, key, identity } = procedures.site();
    const other = addVault(procedures.world, group, unique('kv-'));
    addKeyVersion(procedures.world, other, 'new-key');
    const account = unique('st');
    addAccount(procedures.world, group, { name: account, identity, key: { vault, keyName: key, mode: 'pinned' } });
    const [from, to] = [`${vault.name}/${key}`, `${other.name}/new-key`];

    const unfit = await cmk('rekey', 'start', from, to);
    expect(unfit.code).toBe(3);
    expect(unfit.out).toContain(account);
    expect(unfit.out).toContain(`az role assignment create --assignee-object-id ${identity.principalId}`);
    const elsewhere = { env: { ...env(), CMK_VAULTS: vault.id } };
    const unmanaged = await runCmk(procedures, ['rekey', 'start', from, to, '--dry-run'], elsewhere);
    expect(unmanaged.err).toContain(`${to}: `);
    expect(unmanaged.code).not.toBe(0);
    const tried = await cmk('rekey', 'start', from, to, '--grant', '--dry-run');
    expect(tried.out).toContain('planned');

    const started = await cmk('rekey', 'start', from, to, '--grant', '--reason', 'It has leaked');
    expect(started).toMatchObject({ code: 0, err: '' });
    const id = /It stands as (\S+)\./.exec(started.out)?.[1] ?? '';
    const queue = QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient('key-work');
    expect((await queue.getProperties()).approximateMessagesCount).toBe(2);

    expect((await cmk('rekey', 'start', from, to)).code).toBe(3);
    expect((await cmk('rekey', 'pause', id, '--reason', 'Lunch')).out).toContain('paused (Lunch)');
    expect((await cmk('rekey', 'status', id)).out).toContain(`cmk rekey resume ${id}`);
    expect((await cmk('rekey', 'resume', id)).code).toBe(0);
    expect((await cmk('rekey', 'cancel', id)).out).toContain('takingBack');
    expect((await cmk('rekey', 'cancel', id, '--keep')).out).toContain('ended');
    const refused = await cmk('rekey', 'cancel', id);
    expect(refused.code).toBe(3);
    expect(refused.err).toContain('nothing to take back');
    const all = JSON.parse((await cmk('rekey', 'status', '--json')).out);
    expect(all.result[0]).toMatchObject({ order: { id, state: 'ended' }, progress: { moved: 0 } });
  });

  it('takes no key that is not written as vault and key, and no id that there is not', async () => {
    expect((await cmk('rekey', 'start', 'files-key', 'kv-files/new-key')).code).not.toBe(0);
    expect((await cmk('rekey', 'pause', 'nobody')).err).toContain('There is no re-key of that id');
  });
});
