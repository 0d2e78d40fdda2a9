import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { useProcedures } from '../support/procedures.ts';

const procedures = useProcedures();

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmk-throttled-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** With the clients of Azure that the command itself makes. */
async function cmk(...args: readonly string[]) {
  let [out, err] = ['', ''];
  const code = await run(args, {
    environment: {},
    out: {
      write: (text: string) => {
        out += text;
      },
    },
    err: {
      write: (text: string) => {
        err += text;
      },
    },
    ask: undefined,
    credential: procedures.credential(),
  });
  return { code, out, err };
}
const throttle = (method: string, path: string, times = 1, seconds = '2') =>
  procedures.local.faults.add([
    {
      match: { host: 'management.azure.com', method, path },
      times,
      answer: { status: 429, headers: { 'Retry-After': seconds }, body: { error: { code: 'TooManyRequests' } } },
    },
  ]);

describe('Azure that throttles', () => {
  it('is waited for as long as it says, which is told: cmk account verify', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    throttle('GET', `/storageAccounts/${account.name}\\?`, 2);
    throttle('GET', '/roleAssignments\\?');
    throttle('GET', `/vaults/${site.vault.name}\\?`);
    const { code, err } = await cmk('account', 'verify', account.id);
    expect(code).toBe(0);
    expect(err).toMatch(/^Azure is throttling: waiting for 2 s\n/);
  });

  it('is no failure of an account, also where its change was refused: cmk account pin --from', async () => {
    const site = procedures.site();
    const accounts = [procedures.encrypted(site), procedures.encrypted(site)];
    const file = join(folder, 'accounts.csv');
    await writeFile(file, `account\n${accounts.map(({ id }) => `${id}\n`).join('')}`);
    for (const { name } of accounts) {
      throttle('GET', `/storageAccounts/${name}\\?`);
      throttle('PATCH', `/storageAccounts/${name}\\?`);
    }
    expect(await cmk('account', 'pin', '--from', file, '--yes', '--max-failures', '1')).toMatchObject({
      code: 0,
      out: expect.stringContaining('2 accounts: 2 done.'),
    });
    expect(accounts.map(({ encryption }) => encryption.keyvaultproperties?.keyversion)).toEqual(
      accounts.map(() => site.version.version),
    );
  });

  it('is told, and the change not made again, where it may have taken effect: 503', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const match = { host: 'management.azure.com', method: 'PATCH', path: `/storageAccounts/${account.name}\\?` };
    procedures.local.faults.add([{ match, times: 1, answer: { status: 503, headers: { 'Retry-After': '1' } } }]);
    const { code, out } = await cmk('account', 'pin', account.id, '--yes', '-o', 'json');
    expect({ code, reason: JSON.parse(out).error.reason }).toEqual({ code: 5, reason: 'Throttled' });
    expect(account.encryption.keyvaultproperties?.keyversion).toBeUndefined();
  });
});
