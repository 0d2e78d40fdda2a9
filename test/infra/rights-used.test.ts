import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { actionMatches, scopeCovers } from '../../local/azure/roles.ts';
import { type DryAzure, nameOf } from './arm/dry-azure.ts';
import { asArray, asString, at } from './arm/json.ts';
import { dryRun, dryRunEvents, MAIN_PARAMETERS } from './arm/templates.ts';

/** What a call is made on. */
type Place =
  | 'subscription' // whose accounts are looked after
  | 'account'
  | 'written account' // where writing is confined to resource groups: in one of them
  | 'identity' // of an account
  | 'vault'
  | 'hsm'
  | 'vault subscription'
  | 'topic'
  | 'app'
  | 'storage' // the app's own
  | 'usage log';

type Need = readonly [on: Place, ...actions: string[]];

/** What each call needs that the app makes of Azure Resource Manager or Key Vault, and on which resource it is made. */
const NEEDS: Readonly<Record<string, readonly Need[]>> = {
  'subscriptions.list': [['subscription', 'Microsoft.Resources/subscriptions/read']],
  'storageAccounts.list': [['subscription', 'Microsoft.Storage/storageAccounts/read']],
  'storageAccounts.getProperties': [
    ['account', 'Microsoft.Storage/storageAccounts/read'],
    ['written account', 'Microsoft.Storage/storageAccounts/read'],
  ],
  'storageAccounts.update': [['written account', 'Microsoft.Storage/storageAccounts/write']],
  'deletedAccounts.list': [['subscription', 'Microsoft.Storage/deletedAccounts/read']],
  'logs.queryWorkspace': [
    [
      'usage log',
      'Microsoft.OperationalInsights/workspaces/query/read',
      'Microsoft.OperationalInsights/workspaces/query/AzureDiagnostics/read',
      'Microsoft.OperationalInsights/workspaces/query/AZKVAuditLogs/read',
    ],
  ],
  'encryptionScopes.list': [['account', 'Microsoft.Storage/storageAccounts/encryptionScopes/read']],
  'encryptionScopes.get': [
    ['account', 'Microsoft.Storage/storageAccounts/encryptionScopes/read'],
    ['written account', 'Microsoft.Storage/storageAccounts/encryptionScopes/read'],
  ],
  'encryptionScopes.patch': [['written account', 'Microsoft.Storage/storageAccounts/encryptionScopes/write']],
  'fileShares.list': [['account', 'Microsoft.Storage/storageAccounts/fileServices/shares/read']],
  // Under a condition that lets it list and not read (rights.test.ts).
  'blobs.listBlobsFlat': [['written account', 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read']],
  'blobContainers.list': [['account', 'Microsoft.Storage/storageAccounts/blobServices/containers/read']],
  'userAssignedIdentities.get': [['identity', 'Microsoft.ManagedIdentity/userAssignedIdentities/read']],
  'userAssignedIdentities.listBySubscription': [
    ['subscription', 'Microsoft.ManagedIdentity/userAssignedIdentities/read'],
  ],
  'vaults.get': [['vault', 'Microsoft.KeyVault/vaults/read']],
  'managedHsms.get': [['hsm', 'Microsoft.KeyVault/managedHSMs/read']],
  'roleAssignments.listForScope': [
    ['vault', 'Microsoft.Authorization/roleAssignments/read'],
    ['hsm', 'Microsoft.Authorization/roleAssignments/read'],
  ],
  'roleDefinitions.get': [['vault', 'Microsoft.Authorization/roleDefinitions/read']],
  'roleAssignmentScheduleInstances.listForScope': [
    ['vault', 'Microsoft.Authorization/roleAssignmentScheduleInstances/read'],
  ],
  'eventSubscriptions.listByResource': [
    // The second: "Notifies Microsoft.KeyVault that an EventGrid Subscription for Key Vault is being viewed", and so on for
    // write (Azure, "Azure permissions for Security", Microsoft.KeyVault).
    ['vault', 'Microsoft.EventGrid/eventSubscriptions/read', 'Microsoft.KeyVault/vaults/eventGridFilters/read'],
  ],
  'eventSubscriptions.listGlobalBySubscription': [['subscription', 'Microsoft.EventGrid/eventSubscriptions/read']],
  'eventSubscriptions.beginCreateOrUpdateAndWait': [
    ['subscription', 'Microsoft.EventGrid/eventSubscriptions/write'],
    ['vault', 'Microsoft.EventGrid/eventSubscriptions/write', 'Microsoft.KeyVault/vaults/eventGridFilters/write'],
    // Event Grid checks whether its caller may write the destination (Event Grid, "Authorizing access").
    ['app', 'Microsoft.Web/sites/functions/read', 'Microsoft.Web/sites/functions/write'],
  ],
  'systemTopics.listBySubscription': [
    ['vault subscription', 'Microsoft.EventGrid/systemTopics/read'],
    ['subscription', 'Microsoft.EventGrid/systemTopics/read'],
  ],
  'systemTopics.get': [['topic', 'Microsoft.EventGrid/systemTopics/read']],
  // The topic of a subscription may be in any group of it.
  'below.listBySystemTopic': [
    ['topic', 'Microsoft.EventGrid/systemTopics/eventSubscriptions/read'],
    ['subscription', 'Microsoft.EventGrid/systemTopics/eventSubscriptions/read'],
  ],
  'below.beginCreateOrUpdateAndWait': [
    ['topic', 'Microsoft.EventGrid/systemTopics/eventSubscriptions/write'],
    ['subscription', 'Microsoft.EventGrid/systemTopics/eventSubscriptions/write'],
  ],
  // Read, or written, by a request of our own.
  'Microsoft.Insights/diagnosticSettings': [
    ['vault', 'Microsoft.Insights/diagnosticSettings/read'],
    ['hsm', 'Microsoft.Insights/diagnosticSettings/read'],
  ],
  'Microsoft.Insights/eventtypes': [['subscription', 'Microsoft.Insights/eventtypes/values/read']],
  'Microsoft.PolicyInsights/policyStates': [
    [
      'subscription',
      'Microsoft.PolicyInsights/policyStates/queryResults/read',
      'Microsoft.PolicyInsights/policyStates/queryResults/action',
    ],
  ],
  'Microsoft.PolicyInsights/checkPolicyRestrictions': [
    ['account', 'Microsoft.PolicyInsights/checkPolicyRestrictions/read'],
  ],
  'Microsoft.Authorization/policyAssignments': [
    ['subscription', 'Microsoft.Authorization/policyAssignments/read'],
    ['vault', 'Microsoft.Authorization/policyAssignments/read'],
    ['hsm', 'Microsoft.Authorization/policyAssignments/read'],
  ],
  'Microsoft.Authorization/policyExemptions': [
    ['vault', 'Microsoft.Authorization/policyExemptions/read'],
    ['hsm', 'Microsoft.Authorization/policyExemptions/read'],
  ],
  // Where an initiative is defined: what is built in is everybody's, and a management group is not in reach of a deployment.
  'Microsoft.Authorization/policySetDefinitions': [
    ['vault subscription', 'Microsoft.Authorization/policySetDefinitions/read'],
  ],
  'Microsoft.Authorization/locks': [
    ['vault', 'Microsoft.Authorization/locks/read'],
    ['hsm', 'Microsoft.Authorization/locks/read'],
  ],
  listPropertiesOfKeys: [['vault', 'Microsoft.KeyVault/vaults/keys/read']],
  listPropertiesOfKeyVersions: [['vault', 'Microsoft.KeyVault/vaults/keys/read']],
  getKey: [['vault', 'Microsoft.KeyVault/vaults/keys/read']],
  getDeletedKey: [['vault', 'Microsoft.KeyVault/vaults/keys/read']],
  beginRecoverDeletedKey: [['vault', 'Microsoft.KeyVault/vaults/keys/recover/action']],
  rotateKey: [['vault', 'Microsoft.KeyVault/vaults/keys/rotate/action']],
  updateKeyProperties: [['vault', 'Microsoft.KeyVault/vaults/keys/update/action']],
  getKeyRotationPolicy: [['vault', 'Microsoft.KeyVault/vaults/keyrotationpolicies/read']],
};

/**
 * Calls in the app's client files that only the command line makes, on the sign-in of the operator: the app's services
 * are typed by ports that do not have them.
 */
const OF_THE_COMMAND_LINE = [
  'userAssignedIdentities.createOrUpdate',
  'storageAccounts.create',
  'storageAccounts.checkNameAvailability',
  'fileShares.create',
  'createRsaKey',
  'importKey',
  'updateKeyRotationPolicy',
  'vaults.createOrUpdate',
  'vaults.update',
  'vaults.getDeleted',
  'vaults.updateAccessPolicy',
  'roleAssignments.create',
  'roleAssignments.delete',
  // The id of the role that it assigns.
  'Microsoft.Authorization/roleDefinitions',
];

/** Given on request, for a call that needs it if Azure says so. */
const ON_REQUEST = ['Microsoft.ManagedIdentity/userAssignedIdentities/assign/action'];

const source = (path: string): string => readFileSync(new URL(`../../src/${path}`, import.meta.url), 'utf8');

/** The client files that the composition root of the app makes its services from. */
function clients(): string[] {
  const files = [...source('services.ts').matchAll(/from '\.\/(.+-client\.ts)'/g)].map((match) => match[1] ?? '');

  // It has some of them made together.
  const more = ['identities/create-identity-clients.ts', 'probe/data-services-client.ts'].flatMap((maker) =>
    [...source(maker).matchAll(/from '(\.[\w./-]+-client\.ts)'/g)].map(([, path = '']) =>
      posix.join(posix.dirname(maker), path),
    ),
  );

  return [...new Set([...files, ...more])]
    .map(source)
    .filter((text) =>
      /'@azure\/(arm-[\w-]+|keyvault-keys|monitor-query-logs)'|createArm(Reader|Lister|Patch)|createStorageManagement|BlobServiceClient/.test(
        text,
      ),
    );
}

/** Operation groups by the names under which the calls are told. */
const groups = [...new Set(Object.keys(NEEDS).flatMap((name) => (name.includes('.') ? name.split('.')[0] : [])))];

/** What is taken from a management client, by the name that it gets: `client.vaults.get(`, `const { fileShares } = client`. */
function groupsTaken(text: string): string[] {
  const direct = /\b(?:client|clientOf\((?:[^()]|\([^()]*\))*\))\s*\.\s*(\w+)\s*\.\s*\w+\(/g;
  const apart = /const \{([^}]+)\} = client;|const \{([^}]+)\} = clientOf\(/g;
  return [
    ...[...text.matchAll(direct)].map(([, group = '']) => group),
    ...[...text.matchAll(apart)].flatMap(([, one, other]) =>
      (one ?? other ?? '').split(',').map((name) => name.split(':').at(-1)?.trim() ?? ''),
    ),
  ];
}

/** The calls in the client files. */
function calls(): string[] {
  const texts = clients();
  const ownRequest = /(?<=\/providers\/)Microsoft\.\w+\/\w+(?=[`/])|(?<=\/subscriptions\/\$\{\w+\})\/resources(?=`)/g;

  // An operation group of a management client, or a method of KeyClient; a method of our own accounts client is neither.
  const operation = new RegExp(`\\b(?:${groups.join('|')})\\.(?!push)\\w+(?=\\()`, 'g');
  const keyMethod =
    /(?<=(?<!accounts)\.)(?:(?:begin)?(?:[Gg]et|list|create|import|update|rotate|[Dd]elete|purge|[Rr]ecover|backup|restore)\w*Key\w*)(?=\()/g;

  return [
    ...new Set(
      texts.flatMap((text) =>
        [...text.matchAll(operation), ...text.matchAll(keyMethod), ...text.matchAll(ownRequest)].map(([call]) => call),
      ),
    ),
  ];
}

/** Built-in roles on the app's own storage (Azure, "Azure built-in roles for Storage"). */
const ON_STORAGE: Readonly<Record<string, string>> = {
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b': 'Storage Blob Data Owner',
  'ba92f5b4-2d11-453d-a403-e96b0029c9fe': 'Storage Blob Data Contributor',
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88': 'Storage Queue Data Contributor',
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3': 'Storage Table Data Contributor',
};

const SUBSCRIPTIONS = ['1', '2', '3', '4'].map((digit) =>
  '11111111-1111-1111-1111-111111111111'.replaceAll('1', digit),
);
const [HERE = '', KEYS = '', EVENTS = '', FILES = ''] = SUBSCRIPTIONS.map((id) => `/subscriptions/${id}`);

const topicIn = (subscription: string): string =>
  `${subscription}/resourceGroups/rg-events/providers/Microsoft.EventGrid/systemTopics/theirs`;

interface Layout {
  /** Whose vault it is; without it, the subscription of the app. */
  readonly vaultIn?: string;
  /** A system topic that the vault has already. */
  readonly topic?: string;
  readonly accountsIn: readonly string[];
  /** Writing is confined to resource groups. */
  readonly confined?: true;
  /** The template alone, as the deploy button and Terraform have it: without events.bicep. */
  readonly alone?: true;
}

const LAYOUTS = {
  'all in one subscription': { accountsIn: [HERE] },
  'vaults elsewhere': { vaultIn: KEYS, accountsIn: [HERE] },
  'a topic in another group and by another name': { vaultIn: KEYS, topic: topicIn(KEYS), accountsIn: [HERE, FILES] },
  'a topic in another subscription': { vaultIn: KEYS, topic: topicIn(EVENTS), accountsIn: [FILES] },
  'writing confined to groups': { vaultIn: KEYS, accountsIn: [HERE, FILES], confined: true },
  'the template alone': { vaultIn: KEYS, accountsIn: [HERE], alone: true },
  'the template alone and a topic': { vaultIn: KEYS, topic: topicIn(EVENTS), accountsIn: [FILES], alone: true },
} satisfies Record<string, Layout>;

/** A layout, deployed, with what the app may do where. */
async function deployed({ vaultIn = HERE, topic, accountsIn, confined, alone }: Layout) {
  const vault = `${vaultIn}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files`;
  const hsm = `${vaultIn}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/managedHSMs/hsm-files`;
  const groups = confined ? accountsIn.map((id) => `${id}/resourceGroups/rg-written`) : [];
  const main = await dryRun('main', {
    ...MAIN_PARAMETERS,
    managedVaults: [vault, hsm],
    storageSubscriptions: accountsIn.map(nameOf),
    storageResourceGroups: groups,
    systemTopics: topic ? { [vault]: topic } : {},
    allowKeyRecovery: true,
    allowEventRepair: true,
    allowIdentityAssignment: true,
    allowBlobProbe: true,
    vaultDiagnostics: true,
    packageUri: alone ? 'https://example.com/app.zip' : '',
  });

  const found = topic ? [{ id: topic, name: nameOf(topic), properties: { source: vault } }] : [];
  const events = alone ? main.azure : await dryRunEvents(main.outputs, found);
  const runs = [...new Set([main.azure, events])];
  const id = (azure: DryAzure, type: string): string => azure.ofType(type)[0]?.id ?? '';
  const places: Record<Place, string[]> = {
    subscription: [...accountsIn],
    account: accountsIn.map(
      (one) => `${one}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles`,
    ),
    'written account': (confined ? groups : accountsIn.map((one) => `${one}/resourceGroups/rg-files`)).map(
      (one) => `${one}/providers/Microsoft.Storage/storageAccounts/stfiles`,
    ),
    identity: accountsIn.map(
      (one) => `${one}/resourceGroups/rg-files/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-files`,
    ),
    vault: [vault],
    hsm: [hsm],
    'vault subscription': [vaultIn],
    topic: [id(events, 'Microsoft.EventGrid/systemTopics')],
    app: [id(main.azure, 'Microsoft.Web/sites')],
    storage: main.azure.ofType('Microsoft.Storage/storageAccounts').map((account) => account.id),
    'usage log': [id(main.azure, 'Microsoft.OperationalInsights/workspaces')],
  };

  const definitions = runs.flatMap((azure) => azure.ofType('Microsoft.Authorization/roleDefinitions'));
  const principal = main.outputs.CMK_APP_PRINCIPAL_ID ?? null;
  const assignments = runs
    .flatMap((azure) => azure.ofType('Microsoft.Authorization/roleAssignments'))
    .filter(({ body }) => at(body, 'properties', 'principalId') === principal)
    .map(({ id: assignment, body }) => {
      const role = asString(at(body, 'properties', 'roleDefinitionId'), 'role');
      const definition = definitions.find((one) => one.id.toLowerCase() === role.toLowerCase());
      const permission = at(definition?.body, 'properties', 'permissions', 0);
      const actions = ['actions', 'dataActions'].flatMap((kind) =>
        asArray(at(permission, kind) ?? [], kind).map(String),
      );
      const scope = assignment.slice(0, assignment.indexOf('/providers/Microsoft.Authorization/'));
      return { scope, role, actions, custom: definition !== undefined };
    });

  return { places, definitions, assignments };
}

type Deployed = Awaited<ReturnType<typeof deployed>>;

/** The calls that a layout's rights do not reach, each with the action and the resource. */
function refused({ places, assignments }: Deployed): string[] {
  return calls()
    .flatMap((call) => NEEDS[call] ?? [])
    .flatMap(([on, ...actions]) => places[on].flatMap((place) => actions.map((action) => ({ place, action }))))
    .filter(
      ({ place, action }) =>
        !assignments.some(
          ({ scope, actions }) => scopeCovers(scope, place) && actions.some((one) => actionMatches(one, action)),
        ),
    )
    .map(({ place, action }) => `${action} on ${place}`);
}

const layouts = {} as Record<keyof typeof LAYOUTS, Deployed>;
const NAMES = Object.keys(LAYOUTS) as (keyof typeof LAYOUTS)[];
beforeAll(async () => {
  for (const name of NAMES) layouts[name] = await deployed(LAYOUTS[name]);
});

describe('the calls of the app', () => {
  it('The calls of the app are of known operation groups, or this test would miss them', () => {
    const taken = clients().flatMap(groupsTaken);
    expect(taken.length).toBeGreaterThan(10);
    expect(taken.filter((group) => !groups.includes(group))).toEqual([]);
    expect(groupsTaken('await clientOf(id.subscriptionId(x)).skus.list(); const { usages: a, b } = client;')).toEqual([
      'skus',
      'a',
      'b',
    ]);
  });

  it('The calls of the app are known, each with the rights that it needs', () => {
    expect(calls().length).toBeGreaterThan(20);
    expect(calls().filter((call) => !(call in NEEDS) && !OF_THE_COMMAND_LINE.includes(call))).toEqual([]);
  });
});

describe.each(NAMES)('with %s, the rights of the app', (name) => {
  it('The rights of the app by a template cover every call on its resource', () => {
    expect(refused(layouts[name])).toEqual([]);
  });

  it('The rights of the app by a template are all used at their scopes', () => {
    const { places, assignments } = layouts[name];
    const file = readFileSync(new URL('../../infra/key-users.json', import.meta.url), 'utf8');
    const { read: users } = JSON.parse(file) as { read: string[] };
    const used = calls().flatMap((call) => NEEDS[call] ?? []);
    const spare = assignments.flatMap(({ scope, actions }) =>
      actions
        .filter((action) => ![...users, ...ON_REQUEST].includes(action))
        .filter(
          (action) =>
            !used.some(
              ([on, ...needed]) => needed.includes(action) && places[on].some((place) => scopeCovers(scope, place)),
            ),
        )
        .map((action) => `${action} on ${scope}`),
    );

    expect(spare).toEqual([]);
  });

  it('The rights of the app come from roles that are defined in the subscription of their scope, and no role is unused', () => {
    const { definitions, assignments } = layouts[name];
    const strange = assignments.filter(
      ({ role, custom }) => !custom && !(nameOf(role) in { ...ON_STORAGE, '3913510d-42f4-4e42-8a64-420c390055eb': '' }),
    );

    expect(strange.map(({ role, scope }) => `${role} on ${scope}`)).toEqual([]);

    for (const { role, scope, custom } of assignments) {
      if (custom) expect(scope).toContain(role.split('/')[2] ?? '?');
    }

    const unused = definitions.filter(
      ({ id }) => !assignments.some(({ role }) => role.toLowerCase() === id.toLowerCase()),
    );
    expect(unused.map(({ body }) => at(body, 'properties', 'roleName'))).toEqual([]);
  });

  it('The rights of the app on its own storage are those of the host and the app', () => {
    const { places, assignments } = layouts[name];
    const on = (place: string) =>
      assignments.filter(({ scope }) => scopeCovers(place, scope)).map(({ role }) => ON_STORAGE[nameOf(role)]);
    const [control = '?', work = '?'] = places.storage;

    expect(on(control).sort()).toEqual(['Storage Blob Data Owner', 'Storage Table Data Contributor']);

    expect(on(work).sort()).toEqual([
      'Storage Blob Data Contributor',
      'Storage Queue Data Contributor',
      'Storage Table Data Contributor',
    ]);
  });
});

describe('the check of missing rights', () => {
  it('The check of missing rights detects a right that is missing on one resource of several', () => {
    const { places, definitions, assignments } = layouts['a topic in another group and by another name'];
    const without = assignments.filter(({ scope }) => scope !== places.topic[0]);
    expect(refused({ places, definitions, assignments: without }).length).toBeGreaterThan(0);
    const oneAccount = assignments.filter(({ scope }) => scope !== FILES);
    expect(refused({ places, definitions, assignments: oneAccount })).toContain(
      `Microsoft.Storage/storageAccounts/read on ${FILES}`,
    );
  });
});
