import { describe, expect, it } from 'vitest';
import { addIdentity, allowStorage } from '../../../local/azure/fleet.ts';
import { createAccount, enableAccount } from '../../../src/cli/procedures/account/account-enable.ts';
import { type Site, texts, unique, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();

/** Services change the letter case of ids. */
const sameId = (id: string) => expect.stringMatching(new RegExp(`^${id}$`, 'i'));

type Options = Parameters<typeof enableAccount>[0];
const optionsOf = (site: Site, more: Partial<Options> = {}): Options => ({
  account: site.account.name,
  key: { vault: site.vault.name, key: site.key },
  identity: site.identity.name,
  ...more,
});
const enable =
  (site: Site, more: Partial<Options> = {}) =>
  (operation: Parameters<typeof enableAccount>[1]) =>
    enableAccount(optionsOf(site, more), operation);

/** The tenant does not have it: a security group. */
const GROUP = '99999999-9999-4999-8999-999999999999';
const policiesOf = (...objectIds: string[]) =>
  objectIds.map((objectId) => ({ tenantId: procedures.world.tenantId, objectId, permissions: { keys: ['all'] } }));

describe('account enable', () => {
  it('account enable encrypts an account with a key, automatic, and changes nothing the second time', async () => {
    const site = procedures.site();

    const first = await procedures.run(enable(site));

    const writes = await procedures.writes(async () => {
      const second = await procedures.run(enable(site));
      expect(second.changed).toBe(false);
      expect(texts(second, 'found')).toContain(`${site.account.name} uses this key already, automatic`);
    });

    expect(writes).toEqual([]);
    expect(texts(first, 'done')).toEqual([
      `${site.account.name} encrypted with ${site.vault.name}/files-key, automatic`,
    ]);

    expect(first.result).toEqual({
      account: site.account.id,
      keySource: 'Microsoft.Keyvault',
      key: `https://${site.vault.name}.vault.azure.net/keys/files-key`,
      mode: 'automatic',
      version: site.version.version,
    });

    expect(site.account.encryption.identity).toEqual({ userAssignedIdentity: sameId(site.identity.id) });
    expect(site.account.encryption.keyvaultproperties?.keyversion).toBeUndefined();
    expect(site.account.identity).toMatchObject({ type: 'UserAssigned' });
  });

  it('account enable turns on a system-assigned identity first, grants its role, and keeps other identities', async () => {
    const site = procedures.site();
    const report = await procedures.run(enable(site, { identity: undefined, grant: true }));

    expect(texts(report, 'done')).toEqual([
      `system-assigned identity of ${site.account.name} enabled`,
      `Key Vault Crypto Service Encryption User assigned to the system-assigned identity of ${site.account.name} on vault ${site.vault.name}`,
      `${site.account.name} encrypted with ${site.vault.name}/files-key, automatic`,
    ]);

    expect(site.account.identity?.type).toBe('SystemAssigned');
    expect(site.account.encryption.identity).toBeUndefined();
    expect((await procedures.run(enable(site, { identity: undefined, grant: true }))).changed).toBe(false);
  });

  it('account enable changes the identity and the version of an encrypted account in two requests, since Azure takes one at a time', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site, 'pinned');
    const next = procedures.nextVersion(site);
    const other = addIdentity(procedures.world, site.group, unique('id-'));

    allowStorage(procedures.world, site.vault, other.principalId);

    await procedures.run(
      enable(site, {
        account: account.name,
        key: { vault: site.vault.name, key: site.key, pin: next.version },
        identity: other.name,
        replaceIdentity: true,
      }),
    );

    expect(account.encryption).toMatchObject({
      identity: { userAssignedIdentity: sameId(other.id) },
      keyvaultproperties: { keyversion: next.version },
    });
  });

  it('account enable shows that it waits for a role that was just granted', async () => {
    const site = procedures.site({ role: false });
    procedures.world.settings.rolePropagationMs = 100_000;
    const report = await procedures.run(enable(site, { grant: true }));
    expect(report.result.keySource).toBe('Microsoft.Keyvault');
    const waits = report.shown.filter(({ kind, text }) => kind === 'waiting' && text.startsWith('for the role'));
    expect(waits.length).toBeGreaterThan(3);
  });

  it.each([
    [
      'a vault without purge protection',
      { vault: { enablePurgeProtection: false } },
      'PurgeProtectionOff',
      /cmk vault ensure kv-/,
    ],
    [
      'an identity without its role',
      { role: false },
      'IdentityHasNoAccess',
      /cmk admin ensure-identity id-.* --vault kv-/,
    ],
    ['a disabled key', { key: { enabled: false } }, 'KeyDisabled', /^Ask who disabled it/],
    ['an expired key', { key: { exp: 1_600_000_000 } }, 'KeyExpired', /cmk key rotate/],
    ['a key of a wrong type', { key: { kty: 'EC' as const } }, 'KeyUnsupported', /cmk key ensure/],
  ])('account enable rejects %s, and prints the next step', async (_, options, reason, nextStep) => {
    const site = procedures.site(options);
    const refusal = await procedures.refusal(enable(site));
    expect(refusal).toMatchObject({ reason, nextStep: expect.stringMatching(nextStep) });
    expect(site.account.encryption.keySource).toBe('Microsoft.Storage');
  });

  it('account enable accepts an identity that may have an access policy through a group, and says what is unknown', async () => {
    const site = procedures.site({ vault: { enableRbacAuthorization: false, accessPolicies: policiesOf(GROUP) } });
    const as = procedures.somebodyWith(site.group.id, 'Owner');
    site.vault.properties.accessPolicies = policiesOf(GROUP, as.objectId);
    const planned = await procedures.run(enable(site), { as, dryRun: true });
    expect(texts(planned, 'note').join()).toContain(`${GROUP}); one of them may be a group`);
    expect(texts(planned, 'planned')).toEqual([expect.stringContaining('encrypted with')]);
  });

  it.each([
    ['a missing key', { key: 'nowhere' }, 'KeyNotFound', /key .* does not exist/],
    ['a missing vault', { vault: 'kv-nowhere' }, 'VaultNotFound', /no key vault/],
    ['a missing version', { pin: 'f'.repeat(32) }, 'UnknownVersion', /no version/],
    ['a malformed version', { pin: 'v1' }, 'ArgumentInvalid', /"v1" is not a name of a key version/],
  ])('account enable rejects %s', async (_, key, reason, message) => {
    const site = procedures.site();
    const refusal = await procedures.refusal(enable(site, { key: { vault: site.vault.name, key: site.key, ...key } }));
    expect(refusal).toMatchObject({ reason, message: expect.stringMatching(message) });
  });
});

describe('account create', () => {
  const create = (site: Site, more: Partial<Parameters<typeof createAccount>[0]> = {}) => {
    const options = {
      ...optionsOf(site, { account: unique('st') }),
      resourceGroup: site.group.name,
      location: 'westeurope',
      sku: 'Standard_LRS',
      kind: 'StorageV2',
      ...more,
    };

    return {
      name: options.account,
      run: (operation: Parameters<typeof createAccount>[1]) => createAccount(options, operation),
    };
  };

  it('account create creates an account that is encrypted with the key from the start, and changes nothing the second time', async () => {
    const site = procedures.site();
    const { name, run } = create(site);
    const first = await procedures.run(run);
    const second = await procedures.run(run);

    expect(first.result).toMatchObject({
      keySource: 'Microsoft.Keyvault',
      mode: 'automatic',
      version: site.version.version,
    });

    expect(procedures.world.storageAccounts.get(name)).toMatchObject({
      kind: 'StorageV2',
      sku: { name: 'Standard_LRS' },
      identity: { type: 'UserAssigned' },
      encryption: { identity: { userAssignedIdentity: sameId(site.identity.id) } },
    });

    expect(second.changed).toBe(false);
  });

  it.each([
    ['StorageV2', 'Standard_ZRS', ['blob', 'file', 'queue', 'table'], undefined],
    ['Storage', 'Standard_LRS', ['blob', 'file'], /^This key does not encrypt its queues and tables/],
    ['FileStorage', 'Premium_LRS', ['blob', 'file'], /^a FileStorage account has no queues and no tables/],
    ['StorageV2', 'Premium_LRS', ['blob', 'file'], /^a StorageV2 account has no queues and no tables/],
  ])(
    'account create encrypts queues and tables with the key where a %s account on %s has them',
    async (kind, sku, services, said) => {
      const { name, run } = create(procedures.site(), { kind, sku });
      const report = await procedures.run(run);
      const { encryption } = procedures.world.storageAccounts.get(name) ?? {};
      const under = Object.entries(encryption?.services ?? {}).filter(([, { keyType }]) => keyType === 'Account');
      expect(under.map(([service]) => service).sort()).toEqual(services);
      const notes = report.entries.flatMap(({ text }) => (/queues/.test(text) ? [text] : []));
      expect(notes).toEqual(said ? [expect.stringMatching(said)] : []);
    },
  );

  it('account create says that a system-assigned identity is not possible before the account exists', async () => {
    const refusal = await procedures.refusal(create(procedures.site(), { identity: undefined }).run);
    expect(refusal).toMatchObject({
      reason: 'SystemAssignedAtCreation',
      nextStep: expect.stringContaining('Use a user-assigned identity'),
    });
  });

  it.each([
    ['a bad name', { account: 'St-Files' }, 'ArgumentInvalid'],
    ['no resource group', { resourceGroup: undefined }, 'ArgumentInvalid'],
    ['no region', { location: undefined }, 'ArgumentInvalid'],
  ])('account create rejects %s', async (_, more, reason) => {
    expect((await procedures.refusal(create(procedures.site(), more).run)).reason).toBe(reason);
  });
});
