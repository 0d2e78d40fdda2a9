import { describe, expect, it } from 'vitest';
import { addOtherResource } from '../../../local/azure/fleet.ts';
import { followUsers } from '../../../src/cli/procedures/user/follow-users.ts';
import { listUsers } from '../../../src/cli/procedures/user/list-users.ts';
import { keyOf, type Site, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();

function idOf({ vault, key }: Site, version?: { readonly version: string }): string {
  return `https://${vault.name}.vault.azure.net/keys/${key}${version ? `/${version.version}` : ''}`;
}

describe('the list of resources that use a key', () => {
  it('Each resource is listed with its mode, its version, and how far it is behind', async () => {
    const site = procedures.site();
    const { group, version, vault } = site;
    const newer = procedures.nextVersion(site);
    const add = (type: string, name: string, properties: Record<string, unknown>) =>
      addOtherResource(procedures.world, group, type, name, properties);

    add('Microsoft.ContainerRegistry/registries', 'acr1', {
      encryption: { keyVaultProperties: { keyIdentifier: idOf(site), versionedKeyIdentifier: idOf(site, newer) } },
    });
    add('Microsoft.Sql/servers', 'sql1', { keyId: idOf(site, version) });
    add('Microsoft.Kusto/clusters', 'adx1', {
      keyVaultProperties: {
        keyVaultUri: `https://${vault.name}.vault.azure.net`,
        keyName: site.key,
        keyVersion: version.version,
      },
    });
    procedures.encrypted(site, 'pinned');

    const { result } = await procedures.run((operation) => listUsers({ vault: [vault.name] }, operation));

    expect(result.unread).toEqual([]);
    expect(result.value.map(({ type, mode, version, behind }) => [type, mode, version, behind?.versions])).toEqual(
      expect.arrayContaining([
        ['microsoft.containerregistry/registries', 'automatic', newer.version, undefined],
        ['microsoft.sql/servers', 'unknown', version.version, 1],
        ['microsoft.kusto/clusters', 'pinned', version.version, 1],
        ['microsoft.storage/storageaccounts', 'pinned', newer.version, undefined],
      ]),
    );
    expect(result.value).toHaveLength(4);

    const asked = { vault: [], key: keyOf(site), type: ['clusters'], mode: ['pinned'] };
    const { result: some } = await procedures.run((operation) => listUsers(asked, operation));
    expect(some.value.map(({ name }) => name)).toEqual(['adx1']);
  });
});

describe('making pinned resources follow new versions', () => {
  const records: { readonly reason?: string | undefined; readonly resource?: string | undefined }[] = [];
  const audit = async (entry: (typeof records)[number]) => {
    records.push(entry);
    return { failed: 'not stored in this test' } as never;
  };

  /** Pinned resources of each type that is written, on the key of a site. */
  function pinnedUsers(site: Site, { role = true }: { role?: boolean } = {}) {
    const { group, vault, identity, version } = site;
    const pinned = idOf(site, version);
    const parts = {
      keyVaultUri: `https://${vault.name}.vault.azure.net`,
      keyName: site.key,
      keyVersion: version.version,
    };
    const attached = {
      type: 'UserAssigned',
      userAssignedIdentities: { [identity.id]: { principalId: identity.principalId } },
    };
    const add = (type: string, name: string, properties: Record<string, unknown>, whose: unknown = attached) =>
      addOtherResource(procedures.world, group, type, name, properties, role ? whose : undefined);

    return [
      add('Microsoft.Compute/diskEncryptionSets', 'des1', {
        activeKey: { keyUrl: pinned },
        encryptionType: 'EncryptionAtRestWithCustomerKey',
        rotationToLatestKeyVersionEnabled: false,
      }),
      add('Microsoft.ContainerRegistry/registries', 'acr1', {
        encryption: { status: 'enabled', keyVaultProperties: { keyIdentifier: pinned, identity: identity.clientId } },
      }),
      add('Microsoft.DBforPostgreSQL/flexibleServers', 'pg1', {
        state: 'Ready',
        dataEncryption: {
          type: 'AzureKeyVault',
          primaryKeyURI: pinned,
          primaryUserAssignedIdentityId: identity.id,
        },
      }),
      add('Microsoft.ElasticSan/elasticSans/volumeGroups', 'san1/group1', {
        encryption: 'EncryptionAtRestWithCustomerManagedKey',
        encryptionProperties: { keyVaultProperties: parts, identity: { userAssignedIdentity: identity.id } },
      }),
      add('Microsoft.OperationalInsights/clusters', 'law1', {
        provisioningState: 'Succeeded',
        keyVaultProperties: parts,
      }),
      add('Microsoft.Kusto/clusters', 'adx1', { keyVaultProperties: { ...parts, userIdentity: identity.id } }),
      add('Microsoft.DataProtection/backupVaults', 'bv1', {
        securitySettings: { encryptionSettings: { state: 'Enabled', keyVaultProperties: { keyUri: pinned } } },
      }),
    ];
  }

  it('A dry run names each resource that would change, and a run changes exactly these', async () => {
    const site = procedures.site();
    const users = pinnedUsers(site);
    const mysql = addOtherResource(procedures.world, site.group, 'Microsoft.DBforMySQL/flexibleServers', 'my1', {
      dataEncryption: { primaryKeyURI: idOf(site, site.version) },
    });
    const wanted = { vault: [site.vault.name], audit };

    const planned = await procedures.run((operation) => followUsers(wanted, operation), { dryRun: true });
    const named = planned.entries.flatMap(({ kind, resource }) => (kind === 'planned' ? (resource ?? '') : []));
    expect(named.sort()).toEqual(users.map(({ id }) => id).sort());
    expect(records).toEqual([]);

    const writes = await procedures.writes(async () => {
      const { result } = await procedures.run((operation) => followUsers(wanted, operation));
      expect(result.failed).toEqual([]);
    });
    expect(writes.sort()).toEqual(users.map(({ id }) => `PATCH https://management.azure.com${id}`).sort());
    expect(records.map(({ reason }) => reason)).toEqual(users.map(() => 'FollowBegun'));

    const { result } = await procedures.run((operation) => listUsers({ vault: wanted.vault }, operation));
    const modes = new Map(result.value.map(({ id, mode }) => [id, mode]));
    expect(users.map(({ id }) => modes.get(id))).toEqual(users.map(() => 'automatic'));
    expect(modes.get(mysql.id)).toBe('byHand');
  });

  it.each([
    ['a type without a documented write', 'my1', 'Refused', /writes no resource of the type Microsoft.DBforMySQL/],
    ['a resource without an identity', 'adx1', 'IdentityHasNoAccess', /has no managed identity/],
  ])('The command refuses %s before it writes, and says why', async (_, resource, reason, why) => {
    const site = procedures.site();
    pinnedUsers(site, { role: false });
    addOtherResource(procedures.world, site.group, 'Microsoft.DBforMySQL/flexibleServers', 'my1', {
      dataEncryption: { primaryKeyURI: idOf(site, site.version) },
    });
    const run = (operation: Parameters<typeof followUsers>[1]) =>
      followUsers({ vault: [site.vault.name], resource, audit }, operation);
    expect(await procedures.refusal(run)).toMatchObject({ reason, message: expect.stringMatching(why) });
  });

  it('The command refuses an identity without a role on the key, and a key of a size that the service rejects', async () => {
    const noRole = procedures.site({ role: false });
    pinnedUsers(noRole);
    const large = procedures.site({ key: { keySize: 4096 } });
    pinnedUsers(large);
    const follow =
      ({ vault }: Site) =>
      (operation: Parameters<typeof followUsers>[1]) =>
        followUsers({ vault: [vault.name], resource: 'adx1', audit }, operation);
    expect(await procedures.refusal(follow(noRole))).toMatchObject({ reason: 'IdentityHasNoAccess' });
    expect(await procedures.refusal(follow(large))).toMatchObject({ reason: 'KeyUnsupported' });
  });
});
