import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addAccount } from '../../local/azure/fleet.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { unique, useProcedures } from '../support/procedures.ts';
import { type CmkOptions, runCmk } from '../support/run-cmk.ts';

const procedures = useProcedures();
const cmk = (args: readonly string[], options?: CmkOptions) => runCmk(procedures, args, options);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmk-bulk-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Three accounts and a file that has them onto one new vault, key and identity. */
async function three() {
  const group = procedures.group();
  const accounts = [1, 2, 3].map(() => addAccount(procedures.world, group, { name: unique('st'), shares: ['share1'] }));
  const vault = unique('kv-');
  const identity = unique('id-');
  const file = join(folder, `${unique('accounts')}.csv`);
  await writeFile(file, `account,vault\n${accounts.map(({ name }) => `${name},${vault}\n`).join('')}`);
  const args = ['account', 'onboard', '--from', file, '--key', 'files-key', '--identity', identity];
  return { group, accounts, vault, identity, file, args };
}
const encrypted = (accounts: readonly StorageAccount[]) =>
  accounts.map(({ encryption }) => encryption.keySource === 'Microsoft.Keyvault');
const document = (out: string) => JSON.parse(out).result;
/** Azure rejects changes of the accounts with this path. */
const busy = (path = '') => {
  const answer = { status: 409, body: { error: { code: 'StorageAccountOperationInProgress', message: 'Busy.' } } };
  procedures.local.faults.add([{ match: { method: 'PATCH', path: `/storageAccounts/${path}` }, answer }]);
};

describe('account onboard --from', () => {
  it('account onboard --from prints the plan, and changes nothing in a dry run', async () => {
    const { args, accounts } = await three();
    const writes = await procedures.writes(async () => {
      const { code, out } = await cmk([...args, '--dry-run']);
      expect(code).toBe(0);
      expect(out.split('\n').filter((line) => line.startsWith(`${accounts[0]?.name}\tplanned\t`))).toHaveLength(1);
      expect(out).toContain('3 accounts: 3 planned.');
    });
    expect(writes).toEqual([]);
  });

  it('account onboard --from asks, and changes nothing when the answer is not yes or there is no terminal', async () => {
    const { args } = await three();
    const writes = await procedures.writes(async () => {
      expect(await cmk(args)).toMatchObject({ code: 2, err: expect.stringContaining('Add --yes.') });
      expect(await cmk(args, { answer: 'no' })).toMatchObject({ code: 2, err: expect.stringContaining('not yes') });
    });
    expect(writes).toEqual([]);
  });

  it('account onboard --from onboards all accounts, and creates once what they share', async () => {
    const { args, accounts, vault } = await three();
    const writes = await procedures.writes(async () => {
      const { code, out, err } = await cmk([...args, '-o', 'json'], { answer: 'yes' });
      expect({ code, err: err.match(/^\[\d\/3\] st\w+: /gm)?.length }).toEqual({ code: 0, err: 3 });
      expect(document(out)).toMatchObject({ counts: { done: 3, failed: 0 } });
      expect(document(out).accounts[1]).toMatchObject({
        outcome: 'done',
        changes: [
          { kind: 'done', action: 'account.setKey', from: 'Microsoft.Storage', to: expect.stringContaining(vault) },
        ],
      });
    });

    expect(writes.filter((write) => write.endsWith(`/vaults/${vault}`))).toHaveLength(1);
    expect(writes.filter((write) => write.endsWith('/keys/files-key/create'))).toHaveLength(1);
    expect(encrypted(accounts)).toEqual([true, true, true]);
  });

  it('account onboard --from continues after a failure, names it, and completes the rest in a second run', async () => {
    const { args, accounts } = await three();
    const [, second] = accounts;

    busy(`${second?.name}\\?`);

    const first = await cmk([...args, '--yes', '-o', 'json']);
    expect(first.code).toBe(1);
    expect(document(first.out)).toMatchObject({ counts: { done: 2, failed: 1 } });
    expect(document(first.out).accounts[1]).toMatchObject({ outcome: 'failed', error: { reason: 'Refused' } });

    procedures.local.faults.clear();

    const writes = await procedures.writes(async () => {
      const again = await cmk([...args, '--yes', '-o', 'json']);
      expect(again.code).toBe(0);
      expect(document(again.out)).toMatchObject({ counts: { unchanged: 2, done: 1 } });
    });

    expect(writes.every((write) => write.endsWith(`/storageAccounts/${second?.name}`))).toBe(true);
    expect(encrypted(accounts)).toEqual([true, true, true]);
  });

  it('account onboard --from starts no further account after too many failures', async () => {
    const { args, accounts } = await three();
    busy();
    const { code, out } = await cmk([...args, '--yes', '--max-failures', '1', '-o', 'json']);
    expect(code).toBe(1);
    expect(document(out).counts).toMatchObject({ failed: 1, notStarted: 2 });
    expect(encrypted(accounts)).toEqual([false, false, false]);
  });

  it('account onboard --from rejects beforehand what would fail, and onboards the others, unless too many would be rejected', async () => {
    const { args, accounts, file, vault } = await three();
    const lines = (...names: (string | undefined)[]) =>
      writeFile(file, `account,vault\n${names.map((name) => `${name},${vault}\n`).join('')}`);

    await lines(accounts[0]?.name, 'stnowhere', 'stneither');

    const stopped = await cmk([...args, '--max-failures', '2']);
    expect({ code: stopped.code, asked: stopped.err.includes('Add --yes.') }).toEqual({ code: 1, asked: false });
    expect(stopped.out).toContain('Nothing was started: 2 would fail, and --max-failures is 2.');
    expect(encrypted(accounts)).toEqual([false, false, false]);

    await lines(accounts[0]?.name, 'stnowhere');

    const { code, out, err } = await cmk([...args, '--yes']);
    expect(code).toBe(1);
    expect(err).toMatch(/stnowhere\tREFUSED: AccountNotFound/);
    expect(out).toContain('2 accounts: 1 done, 1 refused.');
    expect(encrypted(accounts)).toEqual([true, false, false]);
  });

  it('account onboard --from prints each warning once, with the plan', async () => {
    const { args, accounts, file } = await three();
    const site = procedures.site();
    await writeFile(file, `account,vault\n${accounts.map(({ name }) => `${name},${site.vault.name}\n`).join('')}`);
    const { err } = await cmk(args, { answer: 'no', env: { CMK_VAULTS: '/subscriptions/s/other' } });
    expect(err.match(/is not among CMK_VAULTS/g)).toHaveLength(1);
  });
});

describe('a list of accounts', () => {
  it('One command pins or verifies a list of accounts', async () => {
    const site = procedures.site();
    const accounts = [procedures.encrypted(site), procedures.encrypted(site)];
    const file = join(folder, `${unique('listed')}.csv`);

    await writeFile(file, `account\n${accounts.map(({ id }) => `${id}\n`).join('')}`);

    const pinned = await cmk(['account', 'pin', '--from', file, '--yes', '-o', 'json']);
    expect(document(pinned.out)).toMatchObject({ counts: { done: 2 } });

    for (const { encryption } of accounts) {
      expect(encryption.keyvaultproperties?.keyversion).toBe(site.version.version);
    }

    const verified = await cmk(['account', 'verify', '--from', file]);
    expect(verified).toMatchObject({ code: 0, out: expect.stringContaining('2 accounts: 2 ok.') });
    expect(verified.out).toContain(`${accounts[0]?.name}\tok\tok\n`);
  });

  it('A command with --from reports an empty list of accounts', async () => {
    const file = join(folder, `${unique('listed')}.csv`);
    await writeFile(file, 'account\n');
    const none = await cmk(['account', 'verify', '--from', file]);
    expect(none).toMatchObject({ code: 0, out: expect.stringContaining('0 accounts: the CSV has no rows.') });
  });

  it('One command encrypts a list of accounts, and grants the role that they share once', async () => {
    const site = procedures.site({ role: false });
    const accounts = [1, 2, 3].map(() => addAccount(procedures.world, site.group, { name: unique('st') }));
    const file = join(folder, `${unique('listed')}.csv`);

    await writeFile(file, `account\n${accounts.map(({ name }) => `${name}\n`).join('')}`);

    const names = ['--vault', site.vault.name, '--key', site.key, '--identity', site.identity.name, '--grant'];
    const writes = await procedures.writes(async () => {
      const { out } = await cmk(['account', 'enable', '--from', file, ...names, '--yes', '-o', 'json']);
      expect(document(out)).toMatchObject({ counts: { done: 3, failed: 0 } });
    });

    expect(encrypted(accounts)).toEqual([true, true, true]);
    expect(writes.filter((write) => write.includes('/roleAssignments/'))).toHaveLength(1);

    const missing = await cmk(['account', 'enable', '--from', file, '--vault', site.vault.name, '--yes']);
    expect(missing).toMatchObject({ code: 2, err: expect.stringContaining('line 2: neither the row nor') });

    const both = await cmk(['account', 'unpin', 'st1', '--from', file]);
    expect(both).toMatchObject({ code: 2, err: expect.stringContaining('exclude each other') });
  });
});
