import { Clock } from './clock.ts';
import { CLIENT_IDS, TENANT_ID } from './constants.ts';
import { signIns } from './entra/principals.ts';
import { assignRole } from './roles/assign-role.ts';
import { BUILT_IN_ROLES } from './roles/built-in-roles.ts';
import type { World, WorldSettings } from './world.ts';

/** Defaults for behaviour that Microsoft does not document. */
export const DEFAULT_SETTINGS: WorldSettings = {
  refreshAutomaticOnPatch: true,
  automaticCheckMs: 24 * 3_600_000,
  repointFromDisabledKey: true,
  fileServiceDelayMs: 0,
  rolePropagationMs: 0,
  keyDeletionMs: 0,
  switchToBlindIdentity: false,
  rotateCopiesTags: false,
  logDelayMs: 300_000,
  enforceRoles: true,
  throttle: false,
  latencyMs: 0,
  instantProvisioning: false,
  encryptionPatch: 'merge',
  storageListPageSize: 1000,
  sparseAnswers: false,
  listKeysAllowed: true,
  accountWriteMs: 20,
  // An address of a network that is reserved for documentation.
  callerAddress: '203.0.113.10',
  failedOverVaults: [],
};

/** A tenant with its sign-ins and an owner of everything, and no subscription yet. */
export function createWorld(settings: Partial<WorldSettings> = {}, clock: Clock = new Clock()): World {
  const world: World = {
    clock,
    tenantId: TENANT_ID,
    settings: { ...DEFAULT_SETTINGS, ...settings },
    subscriptions: new Map(),
    resourceGroups: new Map(),
    vaults: new Map(),
    deletedVaults: new Map(),
    managedHsms: new Map(),
    storageAccounts: new Map(),
    deletedAccounts: [],
    otherResources: new Map(),
    identities: new Map(),
    roleAssignments: new Map(),
    roleDefinitions: new Map(),
    eventSubscriptions: new Map(),
    functions: new Set(),
    systemTopics: new Map(),
    customTopics: new Map(),
    extensions: new Map(),
    workspaces: new Map(),
    vaultLog: [],
    activity: [],
    principals: new Map(signIns().map((principal) => [principal.clientId, principal])),
    apiOwners: { applications: [], servicePrincipals: [] },
    publish: () => {},
    publishChange: () => {},
  };

  for (const clientId of [CLIENT_IDS.owner, CLIENT_IDS.ownerUser]) {
    const owner = world.principals.get(clientId);
    if (!owner) continue;

    for (const role of ['Owner', 'Key Vault Administrator', 'Storage File Data Privileged Contributor'] as const) {
      assignRole(world, { scope: '/', principalId: owner.objectId, role: BUILT_IN_ROLES[role], settled: true });
    }
  }

  return world;
}
