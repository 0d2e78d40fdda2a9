import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { createPolicyInsights } from '../../accounts/policy-insights-client.ts';
import { createResourceProviders } from '../../accounts/resource-providers-client.ts';
import { createAccountSetup } from '../../accounts/storage-client.ts';
import { createSubscriptions } from '../../accounts/subscriptions-client.ts';
import { createAuditPolicies } from '../../audit/immutability-client.ts';
import type { Journal } from '../../audit/journal.ts';
import type { Cloud } from '../../azure/cloud.ts';
import type { TokenCredential } from '../../azure/credential.ts';
import { withTokenDeadline } from '../../azure/deadline.ts';
import { createArmLister } from '../../azure/json-sender.ts';
import { type CallLimits, LIMITS, OPERATOR_TOKEN_MS } from '../../azure/limits.ts';
import { CmkError } from '../../errors/errors.ts';
import { createRoleAssignments } from '../../identities/authorization-client.ts';
import { createIdentityClients } from '../../identities/create-identity-clients.ts';
import { createRegistrationOwners } from '../../identities/registration-owners-client.ts';
import { createFollowClient } from '../../key-users/follow-client.ts';
import { createResourceGraph } from '../../key-users/resource-graph-client.ts';
import { createStoredData } from '../../key-users/stored-data-client.ts';
import { createKeyAdmin, createKeys } from '../../keys/key-client.ts';
import { createKeyUsageLog } from '../../keys/usage-log-client.ts';
import { createDataLists } from '../../probe/data-services-client.ts';
import { createVaults } from '../../vaults/vault-client.ts';
import { createVaultGuards } from '../../vaults/vault-guards-client.ts';

/** Clients of Azure with the operator's sign-in. */
export type Azure = Readonly<ReturnType<typeof createAzure>>;

export interface Operation {
  readonly azure: Azure;
  readonly journal: Journal;
  /** The app's settings, if the environment has them, to compare with a command's arguments. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * Creates the clients, without a call or a token.
 *
 * @param limits for calls of Azure Resource Manager; break-glass on a key has its own
 */
export function createAzure(
  signIn: TokenCredential,
  cloud: Cloud,
  defaultSubscription?: string,
  limits: CallLimits = LIMITS.commandLine,
) {
  const credential = withTokenDeadline(signIn, OPERATOR_TOKEN_MS);

  return {
    cloud,
    /** Subscription in which commands create resources by default. */
    defaultSubscription,
    /** Reads the operator from a token for Key Vault: break-glass depends on no other service. */
    operator: () => readOperator(credential, `https://${cloud.keyVaultSuffix}/.default`),
    subscriptions: createSubscriptions(credential, cloud, limits),
    ...createIdentityClients(credential, cloud, limits),
    resources: resourcesOf(createArmLister(credential, cloud, limits)),
    accounts: createAccountSetup(credential, cloud, limits),
    policyInsights: createPolicyInsights(credential, cloud, limits),
    resourceProviders: createResourceProviders(credential, cloud, limits),
    auditPolicies: createAuditPolicies(credential, cloud, limits),
    ...createStoredData(credential, cloud, limits),
    /** Reads the uses of a key from the log in a workspace; undefined: the workspace is unknown. */
    usageLog: (workspace: string | undefined) => createKeyUsageLog(credential, cloud, workspace),
    dataLists: createDataLists(credential, cloud),
    resourceGraph: createResourceGraph(credential, cloud, limits),
    keyUsers: createFollowClient(credential, cloud, limits),
    vaults: createVaults(credential, cloud, limits),
    vaultGuards: createVaultGuards(credential, cloud),
    keys: createKeys(credential, LIMITS.operator),
    /** Client for break-glass: short deadlines, and no retries by the SDK. */
    urgentKeys: createKeys(credential, LIMITS.breakGlass),
    keyAdmin: createKeyAdmin(credential, LIMITS.operator),
    roles: createRoleAssignments(credential, cloud, limits),
    registrationOwners: createRegistrationOwners(credential, cloud, limits),
    now: () => new Date(),
    sleep: (ms: number): Promise<void> => sleep(ms),
  };
}

/** Finds resources of any type by name in any resource group, as far as the operator can read them. */
function resourcesOf(list: ReturnType<typeof createArmLister>) {
  return {
    /** Returns the ARM ids, with a single list request. */
    async find(subscriptionId: string, type: string, name: string): Promise<string[]> {
      const $filter = `resourceType eq '${type}' and name eq '${name}'`;
      const query = { 'api-version': '2021-04-01', $filter };
      const found = (await list(`/subscriptions/${subscriptionId}/resources`, query)) as { id?: string }[];
      return found.flatMap(({ id }) => id ?? []);
    },
  };
}

/** The signed-in person or service principal. */
export interface Operator {
  /** `oid`: permanent id of the person or service principal, stored in the record of a revocation. */
  readonly objectId: string;
  readonly tenantId: string;
  readonly kind: 'User' | 'ServicePrincipal';
  /** For display. */
  readonly name: string;
}

/**
 * Reads the operator from an access token. It does not validate the token: the receiving service does.
 *
 * @throws the credential's error without a sign-in
 */
async function readOperator(credential: TokenCredential, scope: string): Promise<Operator> {
  const token = await credential.getToken(scope);
  const claims = token ? decodeJwt(token.token) : {};
  const text = (name: string): string | undefined => {
    const value = claims[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const objectId = text('oid');
  const tenantId = text('tid');
  if (!objectId || !tenantId) {
    throw new CmkError(
      'SignInNeeded',
      'The token identifies neither a person nor a service principal.',
      'Sign in with `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.',
    );
  }

  const person = text('upn') ?? text('unique_name') ?? text('preferred_username');
  const isUser = text('idtyp') === 'user' || text('scp') !== undefined || person !== undefined;

  return {
    objectId: objectId.toLowerCase(),
    tenantId: tenantId.toLowerCase(),
    kind: isUser ? 'User' : 'ServicePrincipal',
    name: person ?? text('app_displayname') ?? text('name') ?? text('appid') ?? text('azp') ?? objectId,
  };
}
