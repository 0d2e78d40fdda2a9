import { describe, expect, it } from 'vitest';
import { disableAccount } from '../../src/cli/procedures/account/account-change.ts';
import type { WholeReport } from '../../src/drift/report/report.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import type { Services } from '../../src/services.ts';
import { TestKey } from '../support/fleet.ts';
import { Procedures } from '../support/procedures.ts';
import { useWire } from '../support/wire.ts';
import { outsider } from './outsider.ts';

const wire = useWire();
const procedures = new Procedures(wire);
const them = () => outsider(wire.azure).storage.storageAccounts;
const MICROSOFT = { encryption: { keySource: 'Microsoft.Storage' } };

async function check(change: (services: Services) => Services = (services) => services): Promise<WholeReport> {
  const services = change(wire.services({ CMK_AUTOFIX: 'none' }));
  const report = await runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, services, wire.log);
  wire.azure.clock.advance(3_600_000);
  return report;
}
const left = ({ findings }: WholeReport) =>
  findings
    .filter(({ reason }) => reason === 'NoLongerCustomerManaged')
    .map(({ resource }) => resource.split('/').at(-1));

describe('an account that its owner puts on Microsoft-managed keys', () => {
  it('An account that its owner puts on Microsoft-managed keys is an error of the next check and of later ones', async () => {
    await check();
    await them().update('rg-files', 'stfiles03', MICROSOFT);

    const report = await check();
    expect(left(report)).toEqual(['stfiles03']);

    expect(report.findings.find(({ reason }) => reason === 'NoLongerCustomerManaged')).toMatchObject({
      severity: 'error',
      is: expect.stringContaining('used https://kv-files.vault.azure.net/keys/files-key until'),
      command: expect.stringMatching(
        /^cmk account enable \S+stfiles03 --vault \S+kv-files --key files-key --identity \S+ --pin newest$/,
      ),
    });

    expect(left(await check())).toEqual(['stfiles03']);
  });

  it('An account on Microsoft-managed keys stays in the report while its subscription, or the stored report, cannot be read', async () => {
    const key = new TestKey(wire.azure.world);
    const account = key.account();

    await check();
    await them().update('rg-files', account.name, MICROSOFT);

    const path = `^/subscriptions/[^/]+/providers/Microsoft.Storage/storageAccounts`;

    wire.azure.faults.add([
      { match: { method: 'GET', path }, answer: { status: 403, body: { error: { code: 'x' } } } },
    ]);
    await check();
    wire.azure.faults.clear();

    const down = async (): Promise<never> => {
      throw new Error('connect ECONNREFUSED');
    };
    const without = await check((services) => ({
      ...services,
      driftStorage: { ...services.driftStorage, managedAccounts: down },
    }));

    expect(without.findings.map(({ is }) => is).join()).toContain('the accounts that used a managed key before');
    expect(left(await check())).toContain(account.name);

    const unwritten = await check((services) => ({
      ...services,
      driftStorage: { ...services.driftStorage, rememberAccounts: down },
    }));
    expect(left(unwritten)).toContain(account.name);
    expect(wire.records.map(({ message }) => message).join()).toContain(
      'could not store which accounts use a managed key',
    );
  });
});

describe('cmk account disable', () => {
  const disable = (account: string, change: object = {}) =>
    procedures.run((operation) =>
      disableAccount({ account, yes: true, confirm: async () => {}, reason: 'CHG-2', ...change }, operation),
    );

  it('cmk account disable adds a tag that the next check honours, beside the existing tags', async () => {
    const key = new TestKey(wire.azure.world);
    const account = key.account('pinned', { tags: { team: 'files' } });
    await check();
    await disable(account.name);
    expect(account.tags).toEqual({ team: 'files', 'cmk-opt-out': expect.stringMatching(/^\S+Z \S+ CHG-2$/) });
    expect(left(await check())).not.toContain(account.name);
  });

  it('cmk account disable rejects a tagged account, and changes nothing before a confirmation', async () => {
    const key = new TestKey(wire.azure.world);
    const tagged = key.account('pinned', { tags: { 'cmk-key': `kv-files/${key.name}` } });
    const plain = key.account();
    const refused = expect.objectContaining({ reason: 'ConfirmationWrong' });

    await expect(disable(tagged.name, { yes: false })).rejects.toEqual(refused);

    const no = async (): Promise<never> => {
      throw new Error('No.');
    };
    await expect(disable(plain.name, { yes: false, confirm: no })).rejects.toThrow('No.');

    for (const { encryption } of [tagged, plain]) expect(encryption.keySource).toBe('Microsoft.Keyvault');

    await disable(tagged.name);

    expect(tagged.encryption.keySource).toBe('Microsoft.Storage');
  });
});
