import { describe, expect, it } from 'vitest';
import type { Resource } from './arm/deploy.ts';
import { completed, type DryAzure } from './arm/dry-azure.ts';
import { asObject, at, type JsonObject } from './arm/json.ts';
import { dryRun, dryRunEvents, MAIN_PARAMETERS, OTHER_VAULT, SUBSCRIPTION, template, VAULT } from './arm/templates.ts';

const RIGHTS = /^Microsoft\.Authorization\/(?:role(?:Definitions|Assignments)|locks)$/;
const HSM = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/managedHSMs/hsm-files`;

/** Every right that can be asked for. */
const ASKED: JsonObject = {
  ...MAIN_PARAMETERS,
  managedVaults: [VAULT, OTHER_VAULT, HSM],
  allowKeyRecovery: true,
  allowIdentityAssignment: true,
  allowEffectProbe: true,
  allowBlobProbe: true,
  vaultDiagnostics: true,
  hostStorageByContainer: true,
  storageResourceGroups: [`/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-files`],
  notifyFrom: `${OTHER_VAULT}/secrets/cmk-notify`,
  deadLetterActions: ['Microsoft.Storage/storageAccounts/blobServices/containers/write'],
  lockGroup: true,
};

const rightsIn = (azure: DryAzure): Resource[] => azure.resources.filter(({ type }) => RIGHTS.test(type));
const others = (azure: DryAzure): string[] =>
  azure.resources
    .filter(({ type }) => !RIGHTS.test(type))
    .map(({ id }) => id)
    .sort();
const byId = (resources: readonly Resource[]): Record<string, JsonObject> =>
  Object.fromEntries(resources.map(({ id, body }) => [id.toLowerCase(), body]));

/** Parameters of rights.bicep, as the platform team has them from the outputs of main.bicep. */
function rightsParameters(main: JsonObject, parameters: JsonObject): JsonObject {
  const names = Object.keys(asObject(template('rights').parameters, 'parameters'));
  const shared = Object.fromEntries(Object.entries(parameters).filter(([name]) => names.includes(name)));

  return {
    ...shared,
    appPrincipalId: main.CMK_APP_PRINCIPAL_ID ?? null,
    functionAppId: main.CMK_FUNCTION_APP_ID ?? null,
    storageAccountId: main.CMK_STORAGE_ACCOUNT_ID ?? null,
    workStorageAccountId: main.CMK_WORK_STORAGE_ACCOUNT_ID ?? null,
    auditStorageAccountId: main.CMK_AUDIT_STORAGE_ACCOUNT_ID ?? null,
    insightsId: main.CMK_INSIGHTS_ID ?? null,
    workspaceId: main.CMK_WORKSPACE_ID ?? null,
  };
}

describe.each([
  ['with every right that can be asked for', ASKED],
  ['as it comes', MAIN_PARAMETERS],
])('a deployment that assigns no rights, %s', (_, asked) => {
  it('A deployment that assigns no rights leaves to rights.bicep exactly what another team defines and assigns', async () => {
    const itself = await dryRun('main', { ...asked, assignRights: true });
    const itsEvents = await dryRunEvents(itself.outputs);
    const without = await dryRun('main', { ...asked, assignRights: false });
    const events = await dryRunEvents(without.outputs, [], { CMK_ASSIGN_RIGHTS: 'false' });

    expect(rightsIn(without.azure)).toEqual([]);
    expect(rightsIn(events)).toEqual([]);
    expect([...new Set([...others(without.azure), ...others(events)])].sort()).toEqual(
      [...new Set([...others(itself.azure), ...others(itsEvents)])].sort(),
    );

    // The topics are there, with their identities: rights.bicep reads who they are.
    const there = Object.fromEntries(
      without.azure.ofType('Microsoft.EventGrid/systemTopics').map(({ id, body }) => [id, identified(id, body)]),
    );
    expect(Object.keys(there)).toHaveLength(2);

    const given = await dryRun('rights', rightsParameters(without.outputs, asked), { there });
    expect(others(given.azure)).toEqual([]);
    expect(byId(rightsIn(given.azure))).toEqual(byId([...rightsIn(itself.azure), ...rightsIn(itsEvents)]));
    expect(rightsIn(given.azure).length).toBeGreaterThan(15);
  });
});

it('the rights for dead letters are on the storage of the app alone', async () => {
  const { azure } = await dryRun('main', ASKED);
  const [role] = azure
    .ofType('Microsoft.Authorization/roleDefinitions')
    .filter(({ body }) => String(at(body, 'properties', 'roleName')).startsWith('CMK Autopilot dead-letter writer'));

  expect(at(role?.body, 'properties', 'permissions', 0, 'actions')).toEqual(ASKED.deadLetterActions);

  const given = azure
    .ofType('Microsoft.Authorization/roleAssignments')
    .filter(({ body }) => at(body, 'properties', 'roleDefinitionId') === role?.id);
  expect(given.map(({ id }) => id)).toEqual([expect.stringMatching(/\/storageAccounts\/stcmk\w+\/providers\//)]);

  // Nothing that is not one of them, and no wildcard.
  await expect(dryRun('main', { ...ASKED, deadLetterActions: ['*'] })).rejects.toThrow(/deadLetterActions/);
});

/** A topic as it then is: its identity is that of the dry run, by its id. */
function identified(id: string, body: JsonObject): JsonObject {
  return completed({ id, type: 'Microsoft.EventGrid/systemTopics', apiVersion: '', body });
}
