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
  let out = '';
  let err = '';

  const code = await run(args, {
    environment: {},
    out: {
      write: (text) => {
        out += text;
      },
    },
    err: {
      write: (text) => {
        err += text;
      },
    },
    ask: undefined,
    credential: procedures.credential(),
  });

  return { code, out, err };
}
const refuse = (method: string, path: string, times = 1, status = 429) => {
  const answer = { status, headers: { 'Retry-After': '2' }, body: { error: { code: 'TooManyRequests' } } };
  procedures.local.faults.add([{ match: { host: 'management.azure.com', method, path }, times, answer }]);
};

describe('a request that Azure throttles', () => {
  it('A throttled request is repeated after Retry-After, and the wait is shown: cmk account verify', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    refuse('GET', `/storageAccounts/${account.name}\\?`, 2);
    refuse('GET', '/roleAssignments\\?');
    refuse('GET', `/vaults/${site.vault.name}\\?`);
    const { code, err } = await cmk('account', 'verify', account.id);
    expect(code).toBe(0);
    expect(err).toMatch(/^Azure is throttling: waiting for 2 s\n/);
  });

  it('A throttled change is no failure of its account: cmk account pin --from', async () => {
    const site = procedures.site();
    const accounts = [procedures.encrypted(site), procedures.encrypted(site)];
    const file = join(folder, 'accounts.csv');

    await writeFile(file, `account\n${accounts.map(({ id }) => `${id}\n`).join('')}`);

    for (const { name } of accounts) {
      refuse('GET', `/storageAccounts/${name}\\?`);
      refuse('PATCH', `/storageAccounts/${name}\\?`);
    }

    expect(await cmk('account', 'pin', '--from', file, '--yes', '--max-failures', '1')).toMatchObject({
      code: 0,
      out: expect.stringContaining('2 accounts: 2 done.'),
    });
    expect(accounts.map(({ encryption }) => encryption.keyvaultproperties?.keyversion)).toEqual(
      accounts.map(() => site.version.version),
    );
  });

  it('A change that may have taken effect is reported and not repeated: 503', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    refuse('PATCH', `/storageAccounts/${account.name}\\?`, 1, 503);
    const { code, out } = await cmk('account', 'pin', account.id, '--yes', '-o', 'json');
    expect({ code, reason: JSON.parse(out).error.reason }).toEqual({ code: 5, reason: 'Throttled' });
    expect(account.encryption.keyvaultproperties?.keyversion).toBeUndefined();
  });
});
