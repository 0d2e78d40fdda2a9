import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { asArray, at } from './arm/json.ts';
import { dryRun, MAIN_PARAMETERS } from './arm/templates.ts';

/** What each call needs that the app makes of Azure Resource Manager or Key Vault. */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  'subscriptions.list': ['Microsoft.Resources/subscriptions/read'],
  'storageAccounts.list': ['Microsoft.Storage/storageAccounts/read'],
  'storageAccounts.getProperties': ['Microsoft.Storage/storageAccounts/read'],
  'storageAccounts.update': ['Microsoft.Storage/storageAccounts/write'],
  'encryptionScopes.list': ['Microsoft.Storage/storageAccounts/encryptionScopes/read'],
  'encryptionScopes.get': ['Microsoft.Storage/storageAccounts/encryptionScopes/read'],
  'encryptionScopes.patch': ['Microsoft.Storage/storageAccounts/encryptionScopes/write'],
  'fileShares.list': ['Microsoft.Storage/storageAccounts/fileServices/shares/read'],
  'userAssignedIdentities.get': ['Microsoft.ManagedIdentity/userAssignedIdentities/read'],
  'userAssignedIdentities.listBySubscription': ['Microsoft.ManagedIdentity/userAssignedIdentities/read'],
  'vaults.get': ['Microsoft.KeyVault/vaults/read'],
  'managedHsms.get': ['Microsoft.KeyVault/managedHSMs/read'],
  'roleAssignments.listForScope': ['Microsoft.Authorization/roleAssignments/read'],
  'roleAssignmentScheduleInstances.listForScope': ['Microsoft.Authorization/roleAssignmentScheduleInstances/read'],
  'roleDefinitions.get': ['Microsoft.Authorization/roleDefinitions/read'],
  'eventSubscriptions.listByResource': [
    'Microsoft.EventGrid/eventSubscriptions/read',
    // "Notifies Microsoft.KeyVault that an EventGrid Subscription for Key Vault is being viewed", and so on for write:
    // Azure, "Azure permissions for Security", Microsoft.KeyVault.
    'Microsoft.KeyVault/vaults/eventGridFilters/read',
  ],
  'eventSubscriptions.beginCreateOrUpdateAndWait': [
    'Microsoft.EventGrid/eventSubscriptions/write',
    'Microsoft.KeyVault/vaults/eventGridFilters/write',
    // Event Grid looks whether its caller may write what it aims at (Event Grid, "Authorizing access").
    'Microsoft.Web/sites/functions/read',
    'Microsoft.Web/sites/functions/write',
  ],
  'systemTopics.listByResourceGroup': ['Microsoft.EventGrid/systemTopics/read'],
  'systemTopics.get': ['Microsoft.EventGrid/systemTopics/read'],
  'below.listBySystemTopic': ['Microsoft.EventGrid/systemTopics/eventSubscriptions/read'],
  'below.beginCreateOrUpdateAndWait': ['Microsoft.EventGrid/systemTopics/eventSubscriptions/write'],
  // Read by a request of our own.
  'Microsoft.Insights/diagnosticSettings': ['Microsoft.Insights/diagnosticSettings/read'],
  'Microsoft.Insights/eventtypes': ['Microsoft.Insights/eventtypes/values/read'],
  'Microsoft.Authorization/locks': ['Microsoft.Authorization/locks/read'],
  listPropertiesOfKeys: ['Microsoft.KeyVault/vaults/keys/read'],
  listPropertiesOfKeyVersions: ['Microsoft.KeyVault/vaults/keys/read'],
  getKey: ['Microsoft.KeyVault/vaults/keys/read'],
  getDeletedKey: ['Microsoft.KeyVault/vaults/keys/read'],
  beginRecoverDeletedKey: ['Microsoft.KeyVault/vaults/keys/recover/action'],
  rotateKey: ['Microsoft.KeyVault/vaults/keys/rotate/action'],
  updateKeyProperties: ['Microsoft.KeyVault/vaults/keys/update/action'],
  getKeyRotationPolicy: ['Microsoft.KeyVault/vaults/keyrotationpolicies/read'],
};

/**
 * Calls in the app's client files that only the command line makes, on the sign-in of whoever runs it: the app's services
 * are typed by ports that do not have them.
 */
const OF_THE_COMMAND_LINE = [
  'userAssignedIdentities.createOrUpdate',
  'storageAccounts.create',
  'storageAccounts.checkNameAvailability',
  'createRsaKey',
  'importKey',
  'updateKeyRotationPolicy',
  'vaults.createOrUpdate',
  'vaults.update',
  'vaults.getDeleted',
  'vaults.updateAccessPolicy',
];

/** Given on request, for a call that needs it if Azure says so. */
const ON_REQUEST = ['Microsoft.ManagedIdentity/userAssignedIdentities/assign/action'];

const source = (path: string): string => readFileSync(new URL(`../../src/${path}`, import.meta.url), 'utf8');

/** The calls in the client files that the composition root of the app makes its services from. */
function calls(): string[] {
  const files = [...source('services.ts').matchAll(/from '\.\/(.+-client\.ts)'/g)].map((match) => match[1] ?? '');
  const texts = files.map(source).filter((text) => /'@azure\/(arm-[\w-]+|keyvault-keys)'|createArmReader/.test(text));
  const ownRequest = /(?<=\/providers\/)Microsoft\.\w+\/\w+(?=[`/])/g;
  const groups = [...new Set(Object.keys(NEEDS).flatMap((name) => (name.includes('.') ? name.split('.')[0] : [])))];
  // An operation group of a management client, or a method of KeyClient.
  const operation = new RegExp(`\\b(?:${groups.join('|')})\\.(?!push)\\w+(?=\\()`, 'g');
  const keyMethod =
    /(?<=\.)(?:(?:begin)?(?:[Gg]et|list|create|import|update|rotate|[Dd]elete|purge|[Rr]ecover|backup|restore)\w*Key\w*)(?=\()/g;
  return [
    ...new Set(
      texts.flatMap((text) =>
        [...text.matchAll(operation), ...text.matchAll(keyMethod), ...text.matchAll(ownRequest)].map(([call]) => call),
      ),
    ),
  ];
}

let granted: string[];
let users: string[];
beforeAll(async () => {
  users = JSON.parse(readFileSync(new URL('../../infra/key-users.json', import.meta.url), 'utf8'));
  const { azure } = await dryRun('main', {
    ...MAIN_PARAMETERS,
    allowKeyRecovery: true,
    allowEventRepair: true,
    allowIdentityAssignment: true,
  });
  granted = azure
    .ofType('Microsoft.Authorization/roleDefinitions')
    .flatMap(({ body }) => asArray(at(body, 'properties', 'permissions'), 'permissions'))
    .flatMap((permission) => [
      ...asArray(at(permission, 'actions'), 'a'),
      ...asArray(at(permission, 'dataActions'), 'd'),
    ])
    .map(String);
});

describe('the rights of the app', () => {
  it('are known for every call that it makes', () => {
    expect(calls().length).toBeGreaterThan(20);
    expect(calls().filter((call) => !(call in NEEDS) && !OF_THE_COMMAND_LINE.includes(call))).toEqual([]);
  });

  it('cover every call', () => {
    const needed = calls().flatMap((call) => NEEDS[call] ?? []);
    expect(needed.filter((action) => !granted.includes(action))).toEqual([]);
  });

  it('are each needed by a call: nothing is given for good measure', () => {
    const made = calls();
    const needed = Object.entries(NEEDS).flatMap(([call, actions]) => (made.includes(call) ? actions : []));
    const spare = granted.filter((action) => ![...needed, ...users, ...ON_REQUEST].includes(action));
    expect([...new Set(spare)]).toEqual([]);
  });
});
