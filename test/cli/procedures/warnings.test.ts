import { describe, expect, it, onTestFinished } from 'vitest';
import { enableAccount } from '../../../src/cli/procedures/account/account-enable.ts';
import { onboardAccount } from '../../../src/cli/procedures/account/account-onboard.ts';
import { type Site, texts, useProcedures } from '../../support/procedures.ts';
import { runCmk } from '../../support/run-cmk.ts';

const procedures = useProcedures();

const onboarding = ({ account, vault, key, identity }: Site) => ({
  account: account.name,
  vault: vault.name,
  key,
  identity: identity.id,
});

/** The lines of a command up to its first change. */
async function untilChanged(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { out } = await runCmk(procedures, args, { env });
  return out.split('\ndone\t')[0] ?? '';
}

describe('a command warns before it changes anything', () => {
  it('A command warns about a vault that the app does not manage, if the managed vaults are known', async () => {
    const site = procedures.site();
    const args = ['account', 'enable', site.account.name, '--vault', site.vault.name, '--key', site.key];
    const line = [...args, '--identity', site.identity.name];
    const told = new RegExp(`^note\t${site.vault.name} is not among CMK_VAULTS`, 'm');
    expect(await untilChanged([...line, '--dry-run'], { CMK_VAULTS: site.vault.id.toUpperCase() })).not.toMatch(told);
    expect(await untilChanged([...line, '--dry-run'])).not.toMatch(told);
    expect(await untilChanged(line, { CMK_VAULTS: '/subscriptions/s/other' })).toMatch(told);
  });

  it.each([
    [{ networkAcls: { defaultAction: 'Deny', bypass: 'None' } }, /network rules deny other clients/],
    [{ publicNetworkAccess: 'Disabled', networkAcls: { bypass: 'None' } }, /public network access is off/],
    [{ publicNetworkAccess: 'SecuredByPerimeter' }, /network security perimeter guards/],
    [{ networkAcls: { defaultAction: 'Deny', bypass: 'AzureServices' } }, undefined],
  ])('A command warns about a network that keeps Storage out: %j', async (network, message) => {
    const site = procedures.site();
    Object.assign(site.vault.properties, network);
    // The operator comes by a private endpoint.
    procedures.world.settings.callerAddress = '10.0.0.4';
    onTestFinished(() => {
      Object.assign(procedures.world.settings, { callerAddress: '203.0.113.10' });
    });
    const report = await procedures.run((operation) => onboardAccount(onboarding(site), operation), { dryRun: true });
    expect(texts(report, 'note')).toEqual(message ? [expect.stringMatching(message)] : []);
  });
});

describe('account enable without an identity', () => {
  it('account enable uses the user-assigned identity of the account, or the system-assigned one on request', async () => {
    const site = procedures.site();
    const key = { vault: site.vault.name, key: site.key };
    const enable = (identity?: string) =>
      procedures.run((operation) =>
        enableAccount({ account: site.account.name, key, identity, grant: true }, operation),
      );

    await enable(site.identity.id);

    // As it is back on Microsoft's keys, its identity still attached.
    const { keyvaultproperties: _, identity: __, ...encryption } = site.account.encryption;

    site.account.encryption = { ...encryption, keySource: 'Microsoft.Storage' };
    await enable();

    const used = () => site.account.encryption.identity?.userAssignedIdentity ?? '';
    expect(used().toLowerCase()).toBe(site.identity.id.toLowerCase());

    await enable('system');

    expect(used()).toBe('');
  });
});
