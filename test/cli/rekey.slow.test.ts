import { QueueServiceClient } from '@azure/storage-queue';
import { beforeEach, describe, expect, it } from 'vitest';
import { SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addAccount, addKeyVersion, addVault } from '../../local/azure/fleet.ts';
import { createAppStorage } from '../../local/run/app-storage-client.ts';
import { useAzurite } from '../support/azurite.ts';
import { unique, useProcedures } from '../support/procedures.ts';
import { runCmk } from '../support/run-cmk.ts';

const azurite = useAzurite();
const procedures = useProcedures();
/** With every vault of the world as the app's. */
const env = () => ({
  AzureWebJobsStorage: azurite.connectionString,
  CMK_VAULTS: [...procedures.world.vaults.values()].map(({ id }) => id).join(' '),
});
const cmk = (...args: string[]) => runCmk(procedures, args, { env: env() });

beforeEach(async () => {
  await createAppStorage(azurite.connectionString);
  await QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient('key-work').clearMessages();
});

describe('cmk rekey', () => {
  it('cmk rekey prints the blockers, grants roles when asked to, and starts, pauses, resumes and cancels', async () => {
    const { group, vault, key, identity } = procedures.site();
    const other = addVault(procedures.world, group, unique('kv-'));

    addKeyVersion(procedures.world, other, 'new-key');

    const account = unique('st');

    addAccount(procedures.world, group, { name: account, identity, key: { vault, keyName: key, mode: 'pinned' } });

    const from = `${vault.name}/${key}`;
    const to = `${other.name}/new-key`;

    expect((await cmk('rekey', 'list')).out).toBe('No re-key has been started.\n');

    const unfit = await cmk('rekey', 'start', from, to, '--reason', 'It has leaked');
    expect(unfit.code).toBe(3);
    expect(unfit.out).toContain(account);
    expect(unfit.out).toContain(`az role assignment create --assignee-object-id ${identity.principalId}`);

    const elsewhere = { env: { ...env(), CMK_VAULTS: vault.id } };
    const unmanaged = await runCmk(procedures, ['rekey', 'start', from, to, '--dry-run'], elsewhere);

    expect(unmanaged).toMatchObject({ code: 3, err: expect.stringContaining('KeyNotManaged') });

    const both = { env: { ...env(), CMK_SUBSCRIPTIONS: `${SECOND_SUBSCRIPTION_ID};${SUBSCRIPTION_ID}` } };
    expect((await runCmk(procedures, ['rekey', 'start', from, to, '--dry-run'], both)).out).toContain(account);

    const tried = await cmk('rekey', 'start', from, to, '--grant', '--dry-run');
    expect(tried.out).toContain('planned');

    const started = await cmk('rekey', 'start', from, to, '--grant', '--reason', 'It has leaked');
    expect(started).toMatchObject({ code: 0, err: '' });

    const id = /Started as (\S+)\./.exec(started.out)?.[1] ?? '';
    const queue = QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient('key-work');

    expect((await queue.getProperties()).approximateMessagesCount).toBe(2); // one for each key

    expect((await cmk('rekey', 'start', from, to, '--reason', 'Once more')).code).toBe(3);
    expect((await cmk('rekey', 'pause', id, '--reason', 'Lunch')).out).toContain('paused (Lunch)');
    expect((await cmk('rekey', 'show', id)).out).toContain(`cmk rekey resume ${id}`);
    expect((await cmk('rekey', 'resume', id, '--reason', 'It was short')).code).toBe(0);

    const back = /^(\S+): https:/m.exec((await cmk('rekey', 'cancel', id, '--reason', 'A false alarm')).out)?.[1] ?? '';
    expect((await cmk('rekey', 'cancel', back, '--keep', '--reason', 'Good enough')).out).toContain('ended');

    const refused = await cmk('rekey', 'pause', id, '--reason', 'Lunch');
    expect(refused.code).toBe(3);
    expect(refused.err).toContain('so pause is not possible');

    const all = JSON.parse((await cmk('rekey', 'list', '--json')).out);
    expect(all.result).toMatchObject([
      { order: { id: back, only: id, state: 'ended' }, progress: { moved: 0 } },
      { order: { id, state: 'ended' }, progress: { moved: 0 } },
    ]);
  });

  it.each([
    [['start', 'kv-files/files-key', 'kv-files/new-key'], 'Missing: --reason <text>.'],
    [['cancel', 'rk-1', '--keep'], 'Missing: --reason <text>.'],
    [['start', 'kv-files/a', 'kv-files/b', '--reason', 'It leaked', '--max-failures', 'ten'], 'whole number'],
    [['start', 'kv-files/a', 'kv-files/b', '--reason', 'It leaked', '--max-failures', '0'], '1 to 1000'],
  ])('cmk rekey changes nothing if an argument is missing or wrong: %j', async (args, says) => {
    expect(await cmk('rekey', ...args)).toMatchObject({ code: 2, err: expect.stringContaining(says) });
  });

  it('cmk rekey rejects a key that is not written as vault and key, and an unknown id', async () => {
    expect((await cmk('rekey', 'start', 'files-key', 'kv-files/new-key', '--reason', 'It leaked')).code).not.toBe(0);
    expect((await cmk('rekey', 'pause', 'rk-unknown', '--reason', 'Lunch')).err).toContain('No re-key has this id');
  });
});
