import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type BlobAccess, requireBlobRole } from '../../local/azure/blob-service/authorization.ts';
import { createWorld } from '../../local/azure/create-world.ts';
import { addAccount, addPrincipal, addResourceGroup, addSubscription } from '../../local/azure/fleet.ts';
import { assignRole } from '../../local/azure/roles/assign-role.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import type { Resource } from './arm/deploy.ts';
import type { DryAzure } from './arm/dry-azure.ts';
import { asArray, asObject, asString, at, type JsonObject } from './arm/json.ts';
import {
  dryRun,
  dryRunEvents,
  MAIN_PARAMETERS,
  OTHER_SUBSCRIPTION,
  OTHER_VAULT,
  SUBSCRIPTION,
  template,
  VAULT,
} from './arm/templates.ts';

const NOTIFY_FROM = `/subscriptions/${OTHER_SUBSCRIPTION}/resourceGroups/rg-ops/providers/Microsoft.KeyVault/vaults/kv-ops/secrets/cmk-notify`;

const READ_BLOBS = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read';

/** Every right that can be asked for, asked for. */
const EVERYTHING: JsonObject = {
  ...MAIN_PARAMETERS,
  allowKeyRecovery: true,
  allowEventRepair: true,
  allowIdentityAssignment: true,
  allowEffectProbe: true,
  allowBlobProbe: true,
  storageResourceGroups: [`/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-files`],
  notifyFrom: NOTIFY_FROM,
};

/** Built-in roles that the templates may assign, and why; anything else that is assigned is a role of our own. */
const BUILT_IN: Readonly<Record<string, string>> = {
  '3913510d-42f4-4e42-8a64-420c390055eb': 'Monitoring Metrics Publisher',
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b': 'Storage Blob Data Owner',
  'ba92f5b4-2d11-453d-a403-e96b0029c9fe': 'Storage Blob Data Contributor',
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88': 'Storage Queue Data Contributor',
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3': 'Storage Table Data Contributor',
  'b8eda974-7b85-4f76-af95-65846b26df6d': 'Storage File Data Privileged Reader',
  'acdd72a7-3385-48ef-bd42-f606fba81ae7': 'Reader',
  '14b46e9e-c2b7-41b4-b07b-48a6ebf60603': 'Key Vault Crypto Officer',
  'e147488a-f6f5-4113-8e2d-b22465e65bf6': 'Key Vault Crypto Service Encryption User',
  '4633458b-17de-408a-b874-0445c86b69e6': 'Key Vault Secrets User',
};

const actionsOf = (role: Resource): string[] =>
  asArray(at(role.body, 'properties', 'permissions'), 'permissions').flatMap((permission) =>
    ['actions', 'dataActions'].flatMap((kind) =>
      asArray(at(permission, kind), kind).map((action) => asString(action, kind)),
    ),
  );
const roleIdOf = (assignment: Resource): string =>
  asString(at(assignment.body, 'properties', 'roleDefinitionId'), 'role');
const guidIn = (id: string): string => id.slice(id.lastIndexOf('/') + 1);
const scopeOf = (assignment: Resource): string =>
  assignment.id.slice(0, assignment.id.indexOf('/providers/Microsoft.Authorization'));

const runs: { name: string; azure: DryAzure }[] = [];

beforeAll(async () => {
  const everything = await dryRun('main', EVERYTHING);
  runs.push(
    { name: 'main', azure: (await dryRun('main', MAIN_PARAMETERS)).azure },
    { name: 'main with everything', azure: everything.azure },
    { name: 'main with Reader', azure: (await dryRun('main', { ...EVERYTHING, otherDependents: 'reader' })).azure },
    { name: 'events', azure: (await dryRunEvents(everything.outputs)).azure },
    { name: 'demo', azure: (await dryRun('demo', {})).azure },
  );
});

const run = (name: string): DryAzure => {
  const found = runs.find((item) => item.name === name);
  if (!found) throw new Error(`no run ${name}`);
  return found.azure;
};
const roles = (): Resource[] => runs.flatMap(({ azure }) => azure.ofType('Microsoft.Authorization/roleDefinitions'));
const assignments = (name: string): Resource[] => run(name).ofType('Microsoft.Authorization/roleAssignments');

describe('custom roles', () => {
  it('grant no wildcard', () => {
    expect(
      roles()
        .flatMap(actionsOf)
        .filter((action) => action.includes('*')),
    ).toEqual([]);
    expect(roles().length).toBeGreaterThan(10);
  });

  it('grant no deletion or purge of a key, no reading of account keys, and no right to give rights', () => {
    const forbidden =
      /vaults\/(keys|secrets|certificates)\/(delete|purge|backup|import|create|decrypt|encrypt|wrap|unwrap|sign|release|write)|purge|deletedVaults|listKeys|regenerateKey|listAccountSas|roleAssignments\/(write|delete)|roleDefinitions\/(write|delete)|elevateAccess|sites\/(write|config|publish)/i;
    expect(
      roles()
        .flatMap(actionsOf)
        .filter((action) => forbidden.test(action)),
    ).toEqual([]);
  });

  it.each([
    ['listed', undefined],
    ['all', 'reader'],
    ['none', 'none'],
  ])(
    'say %s to the app of what else uses a key, as they let it see, whatever its own settings say',
    async (sees, otherDependents) => {
      const { azure } = await dryRun('main', {
        ...EVERYTHING,
        ...(otherDependents ? { otherDependents } : {}),
        settings: { CMK_OTHER_DEPENDENTS: 'all', CMK_DUAL_CONTROL: 'on' },
      });
      const settings = JSON.stringify(azure.ofType('Microsoft.Web/sites/config'));
      // What the app may not see, nobody tells it; and what it takes to be in sight, it retires versions by.
      expect(settings).toContain(`"CMK_OTHER_DEPENDENTS":"${sees}"`);
      expect(settings).toContain('"CMK_DUAL_CONTROL":"on"');
    },
  );

  it('let the app list blobs where it writes accounts, read none, and only on request', () => {
    const isLister = ({ body }: Resource): boolean =>
      asString(at(body, 'properties', 'roleName'), 'name').startsWith('CMK Autopilot blob lister');
    const listers = run('main with everything').ofType('Microsoft.Authorization/roleDefinitions').filter(isLister);
    expect(new Set(listers.flatMap(actionsOf))).toEqual(new Set([READ_BLOBS]));
    const ids = new Set(listers.map(({ id }) => guidIn(id)));
    const given = assignments('main with everything').filter((one) => ids.has(guidIn(roleIdOf(one))));
    expect(given.map(scopeOf)).toEqual([`/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-files`]);
    expect(given.map(({ body }) => at(body, 'properties', 'conditionVersion'))).toEqual(['2.0']);
    const condition = asString(at(given[0]?.body ?? {}, 'properties', 'condition'), 'condition');
    expect(run('main').ofType('Microsoft.Authorization/roleDefinitions').filter(isLister)).toEqual([]);
    expect(JSON.stringify(run('main').ofType('Microsoft.Web/sites/config'))).not.toContain('CMK_PROBE_BLOBS');
    expect(JSON.stringify(run('main with everything').ofType('Microsoft.Web/sites/config'))).toContain(
      '"CMK_PROBE_BLOBS":"on"',
    );

    // As Azure evaluates it.
    const world = createWorld({});
    const account = addAccount(world, addResourceGroup(world, addSubscription(world), 'rg-files'), {
      name: 'stfiles01',
    });
    const id = `/providers/Microsoft.Authorization/roleDefinitions/${randomUUID()}`;
    const role = { ...BUILT_IN_ROLES['Storage Blob Data Contributor'], id, dataActions: [READ_BLOBS] };
    world.roleDefinitions.set(role.id.toLowerCase(), role);
    const principal = addPrincipal(world, { displayName: 'app' });
    Object.assign(assignRole(world, { scope: account.id, principalId: principal.objectId, role, settled: true }), {
      condition,
    });
    const may = (access: BlobAccess): boolean => {
      try {
        requireBlobRole(world, account, { principal, audience: 'https://storage.azure.com' }, 'data', access);
        return true;
      } catch {
        return false;
      }
    };
    expect([may('list'), may('read'), may('write')]).toEqual([true, false, false]);
  });

  it('delete nothing', () => {
    expect(
      roles()
        .flatMap(actionsOf)
        .filter((action) => /\/delete(?:\/|$)/i.test(action)),
    ).toEqual([]);
  });

  it('write nothing but storage accounts, encryption scopes, and what events need', () => {
    const writes = [
      ...new Set(
        roles()
          .flatMap(actionsOf)
          .filter((action) => /\/(write|action)$/.test(action)),
      ),
    ];
    expect(writes.sort()).toEqual([
      'Microsoft.EventGrid/eventSubscriptions/write',
      'Microsoft.EventGrid/systemTopics/eventSubscriptions/write',
      'Microsoft.KeyVault/vaults/eventGridFilters/write',
      'Microsoft.KeyVault/vaults/keys/recover/action',
      'Microsoft.KeyVault/vaults/keys/rotate/action',
      'Microsoft.KeyVault/vaults/keys/update/action',
      'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action',
      'Microsoft.Storage/storageAccounts/encryptionScopes/write',
      'Microsoft.Storage/storageAccounts/write',
      'Microsoft.Web/sites/functions/write',
    ]);
  });

  it('have names of their own in the tenant, and an id of their own in each subscription', () => {
    const main = run('main').ofType('Microsoft.Authorization/roleDefinitions');
    const names = main.map((role) => at(role.body, 'properties', 'roleName'));
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(main.map(({ id }) => guidIn(id))).size).toBe(main.length);
  });

  it('give the right to recover keys and to fix events only on request', async () => {
    const { azure } = await dryRun('main', { ...MAIN_PARAMETERS, allowEventRepair: false });
    const actions = azure.ofType('Microsoft.Authorization/roleDefinitions').flatMap(actionsOf);
    expect(actions.filter((action) => /recover|\/delete(?:\/|$)|eventGridFilters\/write|sites/.test(action))).toEqual(
      [],
    );
  });
});

describe('role assignments', () => {
  it.each(['main', 'main with everything', 'main with Reader', 'events', 'demo'])(
    'of %s name a role of our own or a listed built-in one',
    (name) => {
      const own = new Set(roles().map(({ id }) => guidIn(id)));
      const strange = assignments(name)
        .map(roleIdOf)
        .filter((id) => !own.has(guidIn(id)) && !(guidIn(id) in BUILT_IN));
      expect(strange).toEqual([]);
      expect(assignments(name).length).toBeGreaterThan(0);
    },
  );

  it('give Crypto Officer, which can delete keys, to a person in the demo and to nobody else', () => {
    const officers = runs.flatMap(({ name, azure }) =>
      azure
        .ofType('Microsoft.Authorization/roleAssignments')
        .filter((item) => guidIn(roleIdOf(item)) === '14b46e9e-c2b7-41b4-b07b-48a6ebf60603')
        .map((item) => [name, at(item.body, 'properties', 'principalType')]),
    );
    expect(officers).toEqual([['demo', 'User']]);
  });

  it('let the app read the one secret that says whom to notify, and no other, before it is referred to', () => {
    const secrets = runs.flatMap(({ name, azure }) =>
      azure
        .ofType('Microsoft.Authorization/roleAssignments')
        .filter((item) => BUILT_IN[guidIn(roleIdOf(item))] === 'Key Vault Secrets User')
        .map((item) => [name, scopeOf(item)]),
    );
    expect(secrets).toEqual([
      ['main with everything', NOTIFY_FROM],
      ['main with Reader', NOTIFY_FROM],
    ]);
    const order = run('main with everything').resources;
    const given = order.findIndex(({ id }) => id.startsWith(`${NOTIFY_FROM}/`));
    const app = order.findIndex(({ type }) => type === 'Microsoft.Web/sites');
    expect(given).toBeGreaterThan(-1);
    expect(given).toBeLessThan(app);
    const settings = order.find(({ id }) => id.endsWith('/config/appsettings'));
    expect(at(settings?.body ?? null, 'properties', 'CMK_NOTIFY')).toBe(
      '@Microsoft.KeyVault(SecretUri=https://kv-ops.vault.azure.net/secrets/cmk-notify)',
    );
  });

  it('reach every managed vault, in its own subscription, with its own role there', () => {
    const onVaults = assignments('main').filter(({ id }) => id.includes('/Microsoft.KeyVault/'));
    expect(onVaults.map(scopeOf).sort()).toEqual([VAULT, OTHER_VAULT].sort());
    for (const assignment of onVaults) {
      expect(roleIdOf(assignment).split('/')[2]).toBe(assignment.id.split('/')[2]);
    }
  });

  it('of a role that is new come last: until it has spread, Azure says that there is no such role', async () => {
    const order = run('main').resources.map(({ type, id, body }) => ({
      type,
      id,
      role: at(body, 'properties', 'roleDefinitionId'),
    }));
    const app = order.findIndex(({ type }) => type === 'Microsoft.Web/sites');
    const custom = order.flatMap(({ role }, index) =>
      typeof role === 'string' && !(guidIn(role) in BUILT_IN) ? [index] : [],
    );
    expect(custom.length).toBeGreaterThan(5);
    expect(Math.min(...custom)).toBeGreaterThan(app);
    // And the template asks for that order: it does not come about by chance.
    const resources = Object.entries(asObject(template('main').resources, 'resources'));
    const early = resources.filter(
      ([name, resource]) => name.endsWith('Access') && !asArray(at(resource, 'dependsOn'), name).includes('app'),
    );
    expect(early).toEqual([]);
  });

  it('reach a Managed HSM as far as Azure Resource Manager goes, and make no topic for it', async () => {
    const hsm = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/managedHSMs/hsm-files`;
    const { azure, outputs } = await dryRun('main', { ...MAIN_PARAMETERS, managedVaults: [VAULT, hsm] });
    const given = azure.ofType('Microsoft.Authorization/roleAssignments').filter(({ id }) => id.startsWith(`${hsm}/`));
    expect(given).toHaveLength(1);
    expect(outputs.CMK_VAULT_LOCATIONS).toEqual([{ id: VAULT, location: 'westeurope' }]);
    const settings = azure.ofType('Microsoft.Web/sites/config').find(({ id }) => id.endsWith('/appsettings'));
    expect(at(settings?.body, 'properties', 'CMK_VAULTS')).toBe(`${VAULT},${hsm}`);
    const { body } = azure.ofType('Microsoft.Insights/workbooks')[0] ?? {};
    expect(at(body, 'properties', 'serializedData')).toContain('https://hsm-files.managedhsm.azure.net');
  });

  it('write accounts only in the resource groups that are named, if any are', () => {
    const accountOperators = run('main')
      .ofType('Microsoft.Authorization/roleDefinitions')
      .filter((role) => actionsOf(role).includes('Microsoft.Storage/storageAccounts/write'))
      .map(({ id }) => guidIn(id));
    const scopes = (name: string) =>
      assignments(name)
        .filter((item) => accountOperators.includes(guidIn(roleIdOf(item))))
        .map(scopeOf);
    expect(scopes('main').sort()).toEqual([`/subscriptions/${SUBSCRIPTION}`, `/subscriptions/${OTHER_SUBSCRIPTION}`]);
    expect(scopes('main with everything')).toEqual([`/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-files`]);
  });

  it('let the app read files, and attach identities, only on request', () => {
    const privileged = (name: string) =>
      assignments(name).filter((item) => guidIn(roleIdOf(item)) === 'b8eda974-7b85-4f76-af95-65846b26df6d').length;
    expect(privileged('main')).toBe(0);
    expect(privileged('main with everything')).toBe(1);
    const assigners = run('main')
      .ofType('Microsoft.Authorization/roleDefinitions')
      .filter((role) => actionsOf(role).some((action) => action.endsWith('/assign/action')))
      .map(({ id }) => guidIn(id));
    expect(assignments('main').filter((item) => assigners.includes(guidIn(roleIdOf(item))))).toEqual([]);
  });

  it('let Event Grid write dead letters, and nothing else of the storage', () => {
    const others = assignments('events').filter(({ id }) => id.includes('/Microsoft.Storage/'));
    expect(others.map(scopeOf).map(guidIn)).toEqual(['cmk-deadletter', 'cmk-deadletter']);
    const principals = new Set(assignments('main').map((item) => at(item.body, 'properties', 'principalId')));
    expect(principals.size).toBe(1);
  });

  it('on blobs can be confined to containers: Owner for those of the host, Contributor for those of the app', async () => {
    const { azure } = await dryRun('main', { ...MAIN_PARAMETERS, hostStorageByContainer: true });
    const onBlobs = azure
      .ofType('Microsoft.Authorization/roleAssignments')
      .filter(({ id }) => /\/Microsoft\.Storage\//.test(id))
      .map((item) => [guidIn(scopeOf(item)), BUILT_IN[guidIn(roleIdOf(item))]]);
    const [control, work] = azure.ofType('Microsoft.Storage/storageAccounts').map(({ id }) => guidIn(id));
    expect(onBlobs.sort()).toEqual(
      [
        [control, 'Storage Table Data Contributor'],
        [work, 'Storage Queue Data Contributor'],
        [work, 'Storage Table Data Contributor'],
        ['app-package', 'Storage Blob Data Contributor'],
        ['azure-webjobs-hosts', 'Storage Blob Data Owner'],
        ['azure-webjobs-secrets', 'Storage Blob Data Owner'],
        ...['audit', 'control', 'deadletter', 'drift', 'leases'].map((name) => [
          `cmk-${name}`,
          'Storage Blob Data Contributor',
        ]),
      ].sort(),
    );
  });

  it('say that each principal is a service principal, so that Azure does not look for it before it has spread', () => {
    const types = assignments('main with everything').map((item) => at(item.body, 'properties', 'principalType'));
    expect(new Set(types)).toEqual(new Set(['ServicePrincipal']));
  });
});
