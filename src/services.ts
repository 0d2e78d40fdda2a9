import { setTimeout as delay } from 'node:timers/promises';
import type { TokenCredential } from '@azure/identity';
import { createActivityLog } from './accounts/activity-log-client.ts';
import { createInSight } from './accounts/in-sight.ts';
import { type Dependence, hasDependents } from './accounts/inventory.ts';
import { createPolicyInsights } from './accounts/policy-insights-client.ts';
import { createStorageAccounts, traceAccounts } from './accounts/storage-client.ts';
import { createSubscriptions, type Tenants, withVanished } from './accounts/subscriptions-client.ts';
import { createAuditFiles, openAuditContainer } from './audit/audit-client.ts';
import { createAuditTrail } from './audit/audit-trail.ts';
import { createAppCredential } from './azure/credential.ts';
import { withTokenDeadline } from './azure/deadline.ts';
import { APP_TOKEN_MS, LIMITS } from './azure/limits.ts';
import { createController } from './controller/controller.ts';
import { createChangeRows } from './drift/changes/change-rows.ts';
import { createDriftStorage } from './drift/store/drift-storage-client.ts';
import { AtMostEvery } from './errors/at-most-every.ts';
import { type Log, logToConsole } from './errors/log.ts';
import { createEventGrid } from './events/event-grid-client.ts';
import { type Authenticate, createAuthenticator } from './http/caller.ts';
import { createIdentityClients } from './identities/create-identity-clients.ts';
import { createFleetIndex, createKnownKeys, createSeenKeys } from './index/fleet-index.ts';
import { createControlTable, createFleetTable } from './index/fleet-table-client.ts';
import { createKeyUserResources, createResourceGraph } from './key-users/resource-graph-client.ts';
import { createStoredData } from './key-users/stored-data-client.ts';
import { createKeyAdmin, createKeys, type KeyCatalog } from './keys/key-client.ts';
import type { ManagedKey } from './keys/managed-vaults.ts';
import { createKeyUsageLog } from './keys/usage-log-client.ts';
import { createOutbox } from './notify/outbox-client.ts';
import { createPostWebhook } from './notify/webhook-client.ts';
import { createOrdersStore } from './orders/standing-orders-client.ts';
import { createDataLists } from './probe/data-services-client.ts';
import { createEffectStore } from './probe/effect-store-client.ts';
import { createCanaryProbe } from './probe/probe-targets.ts';
import { createKeptTrail, createKeyTrail } from './revocation/key-trail.ts';
import { newId } from './revocation/revocation.ts';
import { type Environment, readSettings, type Settings } from './settings/settings.ts';
import { DeniedMoves } from './status/denied-moves.ts';
import { FleetSnapshots } from './status/fleet-snapshots.ts';
import { KeyLister } from './status/key-list.ts';
import { createNowBoard } from './status/read-now.ts';
import { SlowFacts } from './status/slow-facts.ts';
import { NO_TELEMETRY, type Telemetry } from './telemetry/telemetry.ts';
import { createKeyPolicies } from './vaults/key-policy-client.ts';
import { createVaults } from './vaults/vault-client.ts';
import { createVaultGuards } from './vaults/vault-guards-client.ts';
import { createLeases } from './work/lease-client.ts';
import { createWorkQueue } from './work/work-queue-client.ts';

/** External dependencies of use cases: settings, Azure, the queue and time. */
export type Services = ReturnType<typeof createServices>;

/**
 * Composition root. Sends no request and fetches no token.
 *
 * @throws {@link SettingsError} naming every missing or invalid setting.
 */
export function createServices(
  environment: Environment,
  credential?: TokenCredential,
  log: Log = logToConsole,
  telemetry: Telemetry = NO_TELEMETRY,
) {
  const settings = readSettings(environment);
  const identity = withTokenDeadline(credential ?? createAppCredential(settings.clientId), APP_TOKEN_MS);
  const clients = createClients(settings, identity, telemetry);
  const stores = createStores(settings, identity, telemetry);
  const { accounts, listed } = clients;
  const { driftStorage, fleet, table, control, queue, leases, orderStore } = stores;
  const now = () => new Date();
  const sleep = (ms: number): Promise<void> => delay(ms);
  const subscriptions = withVanished(listed, fleet, now);
  const inReach = async () => settings.subscriptions ?? (await subscriptions.list());
  const inSight = createInSight({ settings, subscriptions });
  const files = createAuditFiles(openAuditContainer(settings, () => identity));
  const audit = createAuditTrail(files, { now, newId }, log);
  const controller = createController(
    settings,
    identity,
    { work: table, control },
    {
      fleet,
      queue,
      leases,
      accounts,
      audit,
      sleep,
      orders: orderStore,
      inSight,
      subscriptions: inReach,
      probe: createCanaryProbe({ settings, ...clients, now }),
    },
  );

  const fleetSnapshots = new FleetSnapshots();
  const keyLister = new KeyLister();

  return {
    settings,
    ...clients,
    ...stores,
    ...controller,
    /** Subscriptions that the app's identity can read now or could read before. */
    subscriptions,
    inSight,
    /** Age of the oldest message of each queue, in seconds. */
    queueAges: () => queue.ages(now()),
    telemetry,
    /** The audit trail. Never throws, and answers within a time limit. */
    audit,
    keyTrail: createKeyTrail(files),
    keptTrail: createKeptTrail(files),
    /** The trail as the drift check reads it. */
    auditWatch: { files, verifiedTo: async () => (await driftStorage.newest())?.trailEnd, now },
    /** Authenticates callers of the HTTP API. */
    authenticate: authenticator(settings, log),
    /** Whether any managed resource uses a key. */
    dependents: (key: ManagedKey): Promise<Dependence> =>
      hasDependents(key, inReach, { accounts, fleet, useRows: controller.useRows, now }),
    /** Caches of this instance, shared by several routes. */
    fleetSnapshots,
    keyLister,
    nowBoard: createNowBoard(fleetSnapshots, keyLister),
    slowFacts: new SlowFacts(),
    deniedMoves: new DeniedMoves(stores.driftStorage),
    newId,
    now,
    sleep,
  };
}

function createClients({ cloud, drift }: Settings, identity: TokenCredential, telemetry: Telemetry) {
  const listed = createSubscriptions(identity, cloud);

  return {
    keys: createKeys(identity, LIMITS.keyWork),
    /** Key Vault client for break-glass: short deadlines, and no retries by the SDK. */
    urgentKeys: createKeys(identity, LIMITS.breakGlass),
    keyCatalog: createKeyAdmin(identity, LIMITS.keyWork) as KeyCatalog,
    accounts: traceAccounts(createStorageAccounts(identity, cloud), telemetry),
    activityLog: createActivityLog(identity, cloud),
    listed,
    tenants: listed as Tenants,
    ...createStoredData(identity, cloud),
    dataLists: createDataLists(identity, cloud),
    resourceGraph: createResourceGraph(identity, cloud),
    keyUsers: createKeyUserResources(identity, cloud),
    /** The managed vaults according to Azure Resource Manager. */
    vaults: createVaults(identity, cloud),
    vaultGuards: createVaultGuards(identity, cloud),
    keyPolicies: createKeyPolicies(identity, cloud),
    /** What Azure Policy denies of storage accounts. */
    policyInsights: createPolicyInsights(identity, cloud),
    ...createIdentityClients(identity, cloud),
    /** The event subscriptions of the managed vaults. */
    eventGrid: createEventGrid(identity, cloud, drift.systemTopics),
    usageLog: createKeyUsageLog(identity, cloud, drift.usageWorkspace),
    /** Sends notifications to their receivers. */
    postWebhook: createPostWebhook(),
  };
}

/** Stores in the app's own storage. */
function createStores(settings: Settings, identity: TokenCredential, telemetry: Telemetry) {
  const credential = () => identity;
  const table = createFleetTable(settings, credential);
  const control = createControlTable(settings, credential);

  return {
    table,
    control,
    fleet: createFleetIndex(table),
    knownKeys: createKnownKeys(table),
    seenKeys: createSeenKeys(table),
    /** Standing orders of operators. */
    orderStore: createOrdersStore(settings, credential),
    /** Last observed behaviour of the file and blob services of a key's dependents. */
    effects: createEffectStore(settings, credential),
    /** Drift reports and other stored data of the drift check. */
    driftStorage: createDriftStorage(settings, credential),
    /** Notifications to send. */
    outbox: createOutbox(settings, credential),
    /** Changes that events reported. */
    changes: createChangeRows(control),
    queue: createWorkQueue(settings, credential, telemetry),
    /** Leases: a single holder per account or key over all instances. */
    leases: createLeases(settings, credential),
  };
}

/** Authenticates callers. Invalid settings reject every call, and are logged. */
function authenticator({ cloud, auth, access }: Settings, log: Log): Authenticate {
  const logged = new AtMostEvery(60_000);

  return createAuthenticator(
    { cloud, ...auth, problems: access.problems },
    {
      // Logs a problem only once per interval, because every call has the same problem.
      onRefusal: (reason, message) => {
        const known = reason === 'SigningKeysUnavailable' ? reason : 'AuthNotConfigured';
        if (logged.due(`${known} ${message}`, performance.now())) log({ level: 'error', reason: known, message });
      },
    },
  );
}
