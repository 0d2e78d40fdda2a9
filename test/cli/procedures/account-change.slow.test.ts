import { describe, expect, it } from 'vitest';
import { addKeyVersion } from '../../../local/azure/fleet.ts';
import {
  changeKey,
  disableAccount,
  pinAccount,
  unpinAccount,
} from '../../../src/cli/procedures/account/account-change.ts';
import { revokeKey } from '../../../src/revocation/revoke.ts';
import { keyOf, type Site, texts, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();

function change(
  account: { name: string },
  vault: string,
  key: string,
  more: { pin?: string; automatic?: boolean } = {},
) {
  return (operation: Parameters<typeof changeKey>[1]) =>
    changeKey(
      { account: account.name, key: { vault, key, pin: more.pin }, automatic: more.automatic ?? false },
      operation,
    );
}

async function revokedSite(): Promise<Site & { account: Site['account'] }> {
  const site = procedures.site();
  const account = procedures.encrypted(site);
  const { urgentKeys: keys, now, sleep, operator } = procedures.azure();
  await revokeKey(keyOf(site), { id: 'rev-1', revokedBy: (await operator()).objectId }, { keys, now, sleep });
  return { ...site, account };
}

describe('account change-key', () => {
  it.each([
    ['a pinned account stays pinned, to the new key', 'pinned' as const, {}, 'pinned'],
    ['an automatic account stays automatic', 'automatic' as const, {}, 'automatic'],
    ['one that was pinned once stays automatic', 'automaticEmpty' as const, {}, 'automatic'],
    ['a pinned account becomes automatic when asked to', 'pinned' as const, { automatic: true }, 'automatic'],
    ['an automatic account is pinned when asked to', 'automatic' as const, { pin: 'newest' }, 'pinned'],
  ])('account change-key does not send the version of the old key: %s', async (_, mode, more, becomes) => {
    const site = procedures.site();
    const account = procedures.encrypted(site, mode);
    const next = addKeyVersion(procedures.world, site.vault, 'other-key');

    const first = await procedures.run(change(account, site.vault.name, 'other-key', more));
    const second = await procedures.run(change(account, site.vault.name, 'other-key'));

    expect(first.result).toMatchObject({
      key: `https://${site.vault.name}.vault.azure.net/keys/other-key`,
      mode: becomes,
      version: next.version,
    });

    expect(account.encryption.keyvaultproperties?.keyversion ?? '').toBe(becomes === 'pinned' ? next.version : '');
    expect(second.changed).toBe(false);
  });

  it('account change-key refuses an account without a key, and a new key that the identity may not use', async () => {
    const site = procedures.site();
    const none = await procedures.refusal(change(site.account, site.vault.name, site.key));

    expect(none).toMatchObject({
      reason: 'NotCustomerManaged',
      nextStep: expect.stringContaining('cmk account enable'),
    });

    const account = procedures.encrypted(site);
    const other = procedures.site();
    const noRole = await procedures.refusal(change(account, other.vault.name, other.key));

    expect(noRole).toMatchObject({ reason: 'IdentityHasNoAccess' });
  });

  it('account change-key moves no account off or onto a revoked key', async () => {
    const revoked = await revokedSite();
    addKeyVersion(procedures.world, revoked.vault, 'other-key');
    const off = await procedures.refusal(change(revoked.account, revoked.vault.name, 'other-key'));
    expect(off).toMatchObject({ reason: 'RevocationOpen', nextStep: expect.stringContaining('cmk key restore') });
    const onto = await procedures.refusal(change(revoked.account, revoked.vault.name, revoked.key));
    expect(onto.reason).toBe('RevocationOpen');
  });
});

describe('account disable', () => {
  const disable = (account: { name: string }) => (operation: Parameters<typeof disableAccount>[1]) =>
    disableAccount({ account: account.name, yes: true, confirm: async () => {} }, operation);

  it("account disable returns an account to Microsoft's keys, and changes nothing the second time", async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const first = await procedures.run(disable(account));
    const second = await procedures.run(disable(account));
    expect(first.result).toMatchObject({ keySource: 'Microsoft.Storage', key: undefined });
    expect(account.encryption.keyvaultproperties).toBeUndefined();
    expect(second.changed).toBe(false);
  });
});

describe('account pin and unpin', () => {
  const pin = (account: { name: string }, version?: string) => (operation: Parameters<typeof pinAccount>[1]) =>
    pinAccount({ account: account.name, version }, operation);
  const unpin = (account: { name: string }) => (operation: Parameters<typeof unpinAccount>[1]) =>
    unpinAccount({ account: account.name }, operation);

  it('account pin moves a pinned account to the newest version, and changes nothing the second time', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site, 'pinned');
    const next = procedures.nextVersion(site);
    const first = await procedures.run(pin(account));
    expect(first.result).toMatchObject({ mode: 'pinned', version: next.version });
    expect(texts(first, 'done')).toEqual([`${account.name} pinned to ${next.version}`]);
    expect((await procedures.run(pin(account))).changed).toBe(false);
  });

  it('account pin writes the pinned version again while Azure still uses another one', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site, 'pinned');
    const next = procedures.nextVersion(site);
    Object.assign(account.encryption.keyvaultproperties ?? {}, { keyversion: next.version });
    const written = await procedures.writes(() => procedures.run(pin(account)));
    expect(written).toEqual([expect.stringMatching(`^PATCH .*/${account.name}$`)]);
  });

  it('account pin never moves an account to an older version', async () => {
    const site = procedures.site();
    const old = site.version;
    procedures.nextVersion(site);
    const account = procedures.encrypted(site, 'pinned');
    const refusal = await procedures.refusal(pin(account, old.version));
    expect(refusal).toMatchObject({ reason: 'NeverBackwards', nextStep: expect.stringContaining('cmk key rotate') });
  });

  it('account pin moves no account between two versions of the same second, whose order is unknown', async () => {
    const site = procedures.site();
    const first = procedures.encrypted(site, 'pinned');
    const twin = addKeyVersion(procedures.world, site.vault, site.key);
    const second = procedures.encrypted(site, 'pinned');
    procedures.nextVersion(site, { enabled: false });
    expect((await procedures.refusal(pin(first, twin.version))).reason).toBe('NeverBackwards');
    expect((await procedures.refusal(pin(second, site.version.version))).reason).toBe('NeverBackwards');
  });

  it('account pin makes a pinned account automatic, on the newest version at once', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site, 'pinned');
    const next = procedures.nextVersion(site);
    const first = await procedures.run(unpin(account));
    expect(first.result).toMatchObject({ mode: 'automatic', version: next.version });
    expect((await procedures.run(unpin(account))).changed).toBe(false);
  });
});
