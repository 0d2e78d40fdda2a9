import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type BlobAccess, requireBlobRole } from '../../local/azure/blob-service/authorization.ts';
import { createWorld } from '../../local/azure/create-world.ts';
import { addAccount, addPrincipal, addResourceGroup, addSubscription } from '../../local/azure/fleet.ts';
import { assignRole } from '../../local/azure/roles/assign-role.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import type { Resource } from './arm/deploy.ts';
import { type DryAzure, nameOf } from './arm/dry-azure.ts';
import { asArray, asObject, at, type JsonObject } from './arm/json.ts';
import {
  dryRun,
  dryRunEvents,
  MAIN_PARAMETERS,
  mainWith,
  OTHER_SUBSCRIPTION,
  SUBSCRIPTION,
  template,
  VAULT,
} from './arm/templates.ts';

const NOTIFY_FROM = `/subscriptions/${OTHER_SUBSCRIPTION}/resourceGroups/rg-ops/providers/Microsoft.KeyVault/vaults/kv-ops/secrets/cmk-notify`;
const READ_BLOBS = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read';
const DEFINITIONS = 'Microsoft.Authorization/roleDefinitions';
const ASSIGNMENTS = 'Microsoft.Authorization/roleAssignments';

/** Every right that can be asked for, asked for. */
const EVERYTHING: JsonObject = {
  allowKeyRecovery: true,
  allowEventRepair: true,
  allowIdentityAssignment: true,
  allowEffectProbe: true,
  allowBlobProbe: true,
  storageResourceGroups: [`/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-files`],
  notifyFrom: NOTIFY_FROM,
};

/** Built-in roles that the templates may assign; anything else that is assigned is a role of our own. */
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

const actionsOf = ({ body }: Resource): string[] =>
  asArray(at(body, 'properties', 'permissions'), 'permissions').flatMap((permission) =>
    ['actions', 'dataActions'].flatMap((kind) => asArray(at(permission, kind), kind).map(String)),
  );
const roleOf = ({ body }: Resource): string => nameOf(String(at(body, 'properties', 'roleDefinitionId')));
const scopeOf = ({ id }: Resource): string => id.slice(0, id.indexOf('/providers/Microsoft.Authorization'));
const actionsIn = (azure: DryAzure): string[] => azure.ofType(DEFINITIONS).flatMap(actionsOf);

const NAMES = ['main', 'everything', 'reader', 'events', 'demo'] as const;
const runs = {} as Record<(typeof NAMES)[number], DryAzure>;
beforeAll(async () => {
  const everything = await dryRun('main', { ...MAIN_PARAMETERS, ...EVERYTHING });
  runs.main = await mainWith({});
  runs.everything = everything.azure;
  runs.reader = await mainWith({ ...EVERYTHING, otherDependents: 'reader' });
  runs.events = await dryRunEvents(everything.outputs);
  runs.demo = (await dryRun('demo', {})).azure;
});
const roles = (): Resource[] => NAMES.flatMap((name) => runs[name].ofType(DEFINITIONS));

/** Which run assigns a built-in role, and what of the assignment. */
const given = <T>(role: string, what: (one: Resource) => T): [run: string, T][] =>
  NAMES.flatMap((name) =>
    runs[name]
      .ofType(ASSIGNMENTS)
      .filter((one) => BUILT_IN[roleOf(one)] === role)
      .map((one): [string, T] => [name, what(one)]),
  );

describe('the custom roles', () => {
  it('The custom roles grant no wildcard, no purge or deletion of a key, no reading of account keys, and no assignment of roles', () => {
    const forbidden =
      /\*|vaults\/(keys|secrets|certificates)\/(delete|purge|backup|import|create|decrypt|encrypt|wrap|unwrap|sign|release|write)|purge|deletedVaults|listKeys|regenerateKey|listAccountSas|roleAssignments\/(write|delete)|roleDefinitions\/(write|delete)|elevateAccess|sites\/(write|config|publish)/i;
    const actions = roles().flatMap(actionsOf);
    expect(actions.filter((action) => forbidden.test(action))).toEqual([]);
    expect(roles().length).toBeGreaterThan(10);
  });

  it('The custom roles write nothing but storage accounts, encryption scopes, and event resources, and delete nothing', () => {
    const changes = roles().flatMap(actionsOf);
    const written = new Set(changes.filter((action) => /\/(write|action|delete)(?:\/|$)/i.test(action)));

    expect([...written].sort()).toEqual([
      'Microsoft.EventGrid/eventSubscriptions/write',
      'Microsoft.EventGrid/systemTopics/eventSubscriptions/write',
      'Microsoft.KeyVault/vaults/eventGridFilters/write',
      'Microsoft.KeyVault/vaults/keys/recover/action',
      'Microsoft.KeyVault/vaults/keys/rotate/action',
      'Microsoft.KeyVault/vaults/keys/update/action',
      'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action',
      // A query by POST, which changes nothing.
      'Microsoft.PolicyInsights/policyStates/queryResults/action',
      'Microsoft.Storage/storageAccounts/encryptionScopes/write',
      'Microsoft.Storage/storageAccounts/write',
      'Microsoft.Web/sites/functions/write',
    ]);
  });

  it.each([
    ['listed', {}],
    ['all', { otherDependents: 'reader' }],
    ['none', { otherDependents: 'none' }],
  ])(
    'The template sets to %s what the app may see of other users of a key, whatever its own settings are',
    async (sees, asked) => {
      const own = { CMK_OTHER_DEPENDENTS: 'all', CMK_DUAL_CONTROL: 'on' };
      const azure = await mainWith({ ...EVERYTHING, ...asked, settings: own });
      // The app learns nothing of what it may not read, and retires versions by what it can read.
      expect(azure.settings()).toMatchObject({ CMK_OTHER_DEPENDENTS: sees, CMK_DUAL_CONTROL: 'on' });
    },
  );

  it('The custom roles let the app list blobs where it writes accounts, read none, and only on request', () => {
    const isLister = ({ body }: Resource) =>
      String(at(body, 'properties', 'roleName')).startsWith('CMK Autopilot blob lister');
    const listers = runs.everything.ofType(DEFINITIONS).filter(isLister);

    expect(new Set(listers.flatMap(actionsOf))).toEqual(new Set([READ_BLOBS]));

    const ids = listers.map(({ id }) => nameOf(id));
    const assigned = runs.everything.ofType(ASSIGNMENTS).filter((one) => ids.includes(roleOf(one)));

    expect(assigned.map(scopeOf)).toEqual([`/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-files`]);

    const { condition = '', conditionVersion } = asObject(assigned[0]?.body.properties, 'assignment');
    expect(conditionVersion).toBe('2.0');
    expect(runs.main.ofType(DEFINITIONS).filter(isLister)).toEqual([]);

    const said = [runs.main, runs.everything].map((azure) => azure.settings().CMK_PROBE_BLOBS);
    expect(said).toEqual([undefined, 'on']);

    // As Azure evaluates it.
    const world = createWorld({});
    const group = addResourceGroup(world, addSubscription(world), 'rg-files');
    const account = addAccount(world, group, { name: 'stfiles01' });
    const id = `/providers/Microsoft.Authorization/roleDefinitions/${randomUUID()}`;
    const role = { ...BUILT_IN_ROLES['Storage Blob Data Contributor'], id, dataActions: [READ_BLOBS] };

    world.roleDefinitions.set(role.id.toLowerCase(), role);

    const principal = addPrincipal(world, { displayName: 'app' });
    const options = { scope: account.id, principalId: principal.objectId, role, settled: true };

    Object.assign(assignRole(world, options), { condition });

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

  it('The custom roles have unique names in the tenant, and an id of their own in each subscription', () => {
    const names = runs.main.values(DEFINITIONS, 'roleName');
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(runs.main.names(DEFINITIONS)).size).toBe(names.length);
  });

  it('The custom roles grant recovery of keys, repair of events, use of identities and reading of files only on request', async () => {
    const asked = /recover|eventGridFilters\/write|sites|\/assign\/action$/;
    expect(actionsIn(await mainWith({ allowEventRepair: false })).filter((action) => asked.test(action))).toEqual([]);
    expect(new Set(given('Storage File Data Privileged Reader', scopeOf).map(([run]) => run))).toEqual(
      new Set(['everything', 'reader']),
    );
  });
});

describe('the role assignments', () => {
  it.each(NAMES)('The role assignments of %s name a custom role or a listed built-in one', (name) => {
    const own = new Set(roles().map(({ id }) => nameOf(id)));
    const assigned = runs[name].ofType(ASSIGNMENTS).map(roleOf);
    expect(assigned.filter((id) => !own.has(id) && !(id in BUILT_IN))).toEqual([]);
    expect(assigned.length).toBeGreaterThan(0);
  });

  it('The role assignments give Crypto Officer, which can delete keys, to one person of the demo alone', () => {
    const officers = given('Key Vault Crypto Officer', ({ body }) => at(body, 'properties', 'principalType'));
    expect(officers).toEqual([['demo', 'User']]);
  });

  it('The role assignments let the app read the one secret with the notification targets, before it is referenced', () => {
    expect(given('Key Vault Secrets User', scopeOf)).toEqual([
      ['everything', NOTIFY_FROM],
      ['reader', NOTIFY_FROM],
    ]);

    const order = runs.everything.resources;
    const access = order.findIndex(({ id }) => id.startsWith(`${NOTIFY_FROM}/`));

    expect(access).toBeGreaterThan(-1);
    expect(access).toBeLessThan(order.findIndex(({ type }) => type === 'Microsoft.Web/sites'));
    expect(runs.everything.settings().CMK_NOTIFY).toBe(
      '@Microsoft.KeyVault(SecretUri=https://kv-ops.vault.azure.net/secrets/cmk-notify)',
    );
  });

  it('The role assignments of a new role come last, as Azure does not know it until it has propagated', () => {
    const order = runs.main.resources;
    const app = order.findIndex(({ type }) => type === 'Microsoft.Web/sites');
    const custom = order.flatMap((one, index) =>
      one.type === ASSIGNMENTS && !(roleOf(one) in BUILT_IN) ? [index] : [],
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

  it('The role assignments cover of a Managed HSM what Azure Resource Manager can assign, and create no topic for it', async () => {
    const hsm = VAULT.replace('vaults/kv-files', 'managedHSMs/hsm-files');
    const { azure, outputs } = await dryRun('main', { ...MAIN_PARAMETERS, managedVaults: [VAULT, hsm] });
    expect(azure.ofType(ASSIGNMENTS).filter(({ id }) => id.startsWith(`${hsm}/`))).toHaveLength(1);
    expect(outputs.CMK_VAULT_LOCATIONS).toEqual([{ id: VAULT, location: 'westeurope' }]);
    expect(azure.settings().CMK_VAULTS).toBe(`${VAULT},${hsm}`);
    const workbooks = azure.values('Microsoft.Insights/workbooks', 'serializedData');
    expect(workbooks).toEqual([expect.stringContaining('https://hsm-files.managedhsm.azure.net')]);
  });

  it('The role assignments on blobs can be confined to containers: Owner for those of the host, Contributor for those of the app', async () => {
    const azure = await mainWith({ hostStorageByContainer: true });
    const onStorage = azure.ofType(ASSIGNMENTS).filter(({ id }) => id.includes('/Microsoft.Storage/'));
    const [control, work] = azure.names('Microsoft.Storage/storageAccounts');
    const own = ['app-package', ...['audit', 'control', 'deadletter', 'drift', 'leases'].map((name) => `cmk-${name}`)];

    expect(onStorage.map((one) => [nameOf(scopeOf(one)), BUILT_IN[roleOf(one)]]).sort()).toEqual(
      [
        [control, 'Storage Table Data Contributor'],
        [work, 'Storage Queue Data Contributor'],
        [work, 'Storage Table Data Contributor'],
        ['azure-webjobs-hosts', 'Storage Blob Data Owner'],
        ['azure-webjobs-secrets', 'Storage Blob Data Owner'],
        ...own.map((name) => [name, 'Storage Blob Data Contributor']),
      ].sort(),
    );
  });

  it('The role assignments are the app’s alone, with a principal type, so that Azure does not look the principal up', () => {
    expect(new Set(runs.everything.values(ASSIGNMENTS, 'principalType'))).toEqual(new Set(['ServicePrincipal']));
    expect(new Set(runs.main.values(ASSIGNMENTS, 'principalId')).size).toBe(1);
  });
});
