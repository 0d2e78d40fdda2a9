import { describe, expect, it } from 'vitest';
import { addAccount, addIdentity } from '../../../local/azure/fleet.ts';
import { type OnboardOptions, onboardAccount } from '../../../src/cli/procedures/account/account-onboard.ts';
import type { Operation } from '../../../src/cli/procedures/operator-azure.ts';
import { type Site, unique, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();

/** A vault, a key and an identity that are not there, for the account of a site. */
const onboard = (site: Site, change: Partial<OnboardOptions> = {}) => {
  const names = { vault: unique('kv-'), key: 'files-key', identity: unique('id-') };
  const options = { account: site.account.name, ...names, ...change };
  return (operation: Operation) => onboardAccount(options, operation);
};

describe('account onboard', () => {
  it.each<[string, string, Partial<OnboardOptions>]>([
    ['a vault name', 'ArgumentInvalid', { vault: 'kv_files' }],
    ['a key name', 'ArgumentInvalid', { key: 'files/key' }],
    ['an identity name', 'ArgumentInvalid', { identity: 'a/b' }],
    ['the ARM id of an identity', 'ArgumentInvalid', { identity: '/subscriptions/x' }],
    ['a resource group', 'ArgumentInvalid', { keyGroup: 'a/b' }],
    ['a version to be pinned to', 'ArgumentInvalid', { pin: 'new' }],
    ['a version of a key that is not there', 'UnknownVersion', { pin: 'a'.repeat(32) }],
  ])('account onboard rejects %s before anything is created', async (_, reason, change) => {
    const site = procedures.site();
    const writes = await procedures.writes(async () => {
      expect((await procedures.refusal(onboard(site, change))).reason).toBe(reason);
    });
    expect(writes).toEqual([]);
  });

  it('account onboard rejects an account that uses another key before anything is created, in a dry run too', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    for (const dryRun of [false, true]) {
      const writes = await procedures.writes(async () => {
        const refusal = await procedures.refusal(onboard(site, { account: account.name }), { dryRun });
        expect(refusal).toMatchObject({ reason: 'OtherKeyInUse', nextStep: expect.stringContaining('change-key') });
      });
      expect(writes).toEqual([]);
    }
  });

  it("account onboard rejects a replacement of the account's identity before anything is created", async () => {
    const site = procedures.site();
    const account = addAccount(procedures.world, site.group, {
      name: unique('st'),
      identity: addIdentity(procedures.world, site.group, unique('id-')),
    });
    const writes = await procedures.writes(async () => {
      const refusal = await procedures.refusal(onboard(site, { account: account.name }));
      expect(refusal.nextStep).toContain('--replace-identity');
    });

    expect(writes).toEqual([]);

    const report = await procedures.run(onboard(site, { account: account.name, replaceIdentity: true }));
    expect(report.result.verification?.ok).toBe(true);
  });
});
