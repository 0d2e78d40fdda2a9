import { setTimeout as delay } from 'node:timers/promises';
import type { TokenCredential } from '@azure/identity';
import { createActivityLog } from './accounts/activity-log-client.ts';
import { createInSight } from './accounts/in-sight.ts';
import { type Dependence, hasDependents } from './accounts/inventory.ts';
import { createSubscriptions, type Tenants, withVanished } from './accounts/subscriptions-client.ts';
import { auditContainer, auditFiles } from './audit/audit-client.ts';
import { createAudit } from './audit/audit-trail.ts';
import { appCredential } from './azure/credential.ts';
import { withTokenDeadline } from './azure/deadline.ts';
import { writesOf } from './azure/limiter.ts';
import { APP_TOKEN_MS, LIMITS } from './azure/limits.ts';
import { createKeyUserResources } from './dependents/key-user-client.ts';
import { createResourceGraph } from './dependents/resource-graph-client.ts';
import { createDeletedAccounts } from './dependents/stored-data-client.ts';
import { createChangeRows } from './drift/changes/change-rows.ts';
import { createDriftStorage } from './drift/store/drift-storage-client.ts';
import { createDataServices } from './effect/data-services-client.ts';
import { createEffectStore } from './effect/effect-store-client.ts';
import { canaryProbe } from './effect/probe-targets.ts';
import { createEventGrid } from './events/event-grid-client.ts';
import { createController } from './fleet/controller.ts';
import { createFleetIndex, createKnownKeys } from './fleet/fleet-index.ts';
import { createControlTable, createFleetTable } from './fleet/fleet-table-client.ts';
import { createSeenKeys } from './fleet/seen-keys.ts';
import { createStorageAccounts, tracedAccounts } from './fleet/storage-client.ts';
import { type Authenticate, createAuthenticator } from './http/caller.ts';
import { createIdentityClients } from './identities/create-identity-clients.ts';
import { createKeyAdmin, type KeyCatalog } from './keys/key-admin-client.ts';
import { createKeys } from './keys/key-client.ts';
import type { ManagedKey } from './keys/managed-vaults.ts';
import { createKeyUsageLog } from './keys/usage-log-client.ts';
import { consoleLog, type Log } from './log.ts';
import { createOutbox } from './notify/outbox-client.ts';
import { createPostWebhook } from './notify/webhook-client.ts';
import { createOrdersStore } from './orders/standing-orders-client.ts';
import { keyTrail } from './revocation/key-trail.ts';
import { newId } from './revocation/revocation.ts';
import { type Environment, readSettings, type Settings } from './settings/settings.ts';
import { NO_TELEMETRY, type Telemetry } from './telemetry/telemetry.ts';
import { createKeyPolicies } from './vaults/key-policy-client.ts';
import { createVaults } from './vaults/vault-client.ts';
import { createVaultGuards } from './vaults/vault-guards-client.ts';
import { FleetSnapshots } from './views/fleet.ts';
import { KeyLister } from './views/key-list.ts';
import { NowBoard } from './views/read-now.ts';
import { AtMostEvery } from './work/at-most-every.ts';
import { createLeases } from './work/lease-client.ts';
import { queueAges } from './work/queue-ages-client.ts';
import { createWorkQueue, type WorkQueue } from './work/work-queue-client.ts';

/** Everything a use-case needs from outside: settings, Azure, the queue and time. */
export type Services = ReturnType<typeof createServices>;

/**
 * Composition root. No call is made yet, and no token is fetched.
 *
 * @throws {@link SettingsError} naming every setting that is missing or wrong.
 */
export function createServices(
  environment: Environment,
  credential?: TokenCredential,
  log: Log = consoleLog,
  telemetry: Telemetry = NO_TELEMETRY,
) {
  const settings = readSettings(environment);
  const identity = withTokenDeadline(credential ?? appCredential(settings.clientId), APP_TOKEN_MS);
  const clients = createClients(settings, identity, telemetry);
  const stores = createStores(settings, identity, telemetry);
  const { accounts, listed } = clients;
  const { driftStorage, fleet, table, control, queue, leases, orderStore } = stores;
  const now = () => new Date();
  const sleep = (ms: number): Promise<void> => delay(ms);
  const subscriptions = withVanished(listed, fleet, now);
  const inReach = async () => settings.subscriptions ?? (await subscriptions.list());
  const inSight = createInSight({ settings, subscriptions });
  const files = auditFiles(auditContainer(settings, () => identity));
  const audit = createAudit(files, { now, newId }, log);
  const controller = createController(
    settings,
    identity,
    { work: table, control },
    {
      ...{ fleet, queue, leases, accounts, audit, sleep },
      ...{ orders: orderStore, inSight },
      subscriptions: inReach,
      probe: canaryProbe({ settings, ...clients, now }),
    },
  );
  const [fleetSnapshots, keyLister] = [new FleetSnapshots(), new KeyLister()];
  return {
    settings,
    ...clients,
    ...stores,
    queue: queue as WorkQueue,
    ...controller,
    /** Those that the app's identity sees, and those that it saw before. */
    subscriptions,
    inSight,
    /** What Azure takes of writes in one subscription and region. */
    writeBudgets: writesOf(),
    /** Seconds that the oldest message of each queue has waited. */
    queueAges: () => queueAges(settings, () => identity, now()),
    telemetry,
    /** The audit trail; it never throws, and answers in time. */
    audit,
    keyTrail: keyTrail(files),
    /** The trail as the drift check looks at it. */
    auditWatch: { files, verifiedTo: async () => (await driftStorage.newest())?.trailEnd, now },
    /** Finds out who calls the HTTP API. */
    authenticate: authenticator(settings, log),
    /** Whether anything that the app looks after uses a key. */
    dependents: (key: ManagedKey): Promise<Dependence> =>
      hasDependents(key, inReach, { accounts, useRows: controller.useRows }),
    /** Caches of this instance, which several routes share. */
    ...{ fleetSnapshots, keyLister, nowBoard: new NowBoard(fleetSnapshots, keyLister) },
    ...{ newId, now, sleep },
  };
}

function createClients({ cloud, drift }: Settings, identity: TokenCredential, telemetry: Telemetry) {
  const listed = createSubscriptions(identity, cloud);
  return {
    keys: createKeys(identity, LIMITS.keyWork),
    /** The same keys for break-glass: short deadlines, and no retries by the SDK. */
    urgentKeys: createKeys(identity, LIMITS.breakGlass),
    keyCatalog: createKeyAdmin(identity, LIMITS.keyWork) as KeyCatalog,
    accounts: tracedAccounts(createStorageAccounts(identity, cloud), telemetry),
    activityLog: createActivityLog(identity, cloud),
    ...{ listed, tenants: listed as Tenants },
    ...createDataServices(identity, cloud),
    resourceGraph: createResourceGraph(identity, cloud),
    keyUsers: createKeyUserResources(identity, cloud),
    /** The managed vaults as ARM shows them. */
    vaults: createVaults(identity, cloud),
    vaultGuards: createVaultGuards(identity, cloud),
    keyPolicies: createKeyPolicies(identity, cloud),
    ...createIdentityClients(identity, cloud),
    /** The event subscriptions of the managed vaults. */
    eventGrid: createEventGrid(identity, cloud, drift.systemTopics),
    usageLog: createKeyUsageLog(identity, cloud, drift.usageWorkspace),
    deletedAccounts: createDeletedAccounts(identity, cloud),
    /** Sends notifications to their receivers. */
    postWebhook: createPostWebhook(),
  };
}

/** What the app keeps in its own storage. */
function createStores(settings: Settings, identity: TokenCredential, telemetry: Telemetry) {
  const credential = () => identity;
  const table = createFleetTable(settings, credential);
  const control = createControlTable(settings, credential);
  return {
    ...{ table, control },
    fleet: createFleetIndex(table),
    knownKeys: createKnownKeys(table),
    seenKeys: createSeenKeys(table),
    /** What operators have ordered. */
    orderStore: createOrdersStore(settings, credential),
    /** What the file and blob services of a key's dependents were last seen to do. */
    effects: createEffectStore(settings, credential),
    /** Drift reports, and what else the check keeps or looks at in the app's own storage. */
    driftStorage: createDriftStorage(settings, credential),
    /** Notifications that are to be sent. */
    outbox: createOutbox(settings, credential),
    /** Changes that events reported. */
    changes: createChangeRows(control),
    queue: createWorkQueue(settings, credential, telemetry),
    /** One holder at a time over all instances, for an account or a key. */
    leases: createLeases(settings, credential),
  };
}

/** Who calls, by the settings as they are: what is wrong with them refuses every call, and is logged. */
function authenticator({ cloud, auth, access }: Settings, log: Log): Authenticate {
  const logged = new AtMostEvery(60_000);
  return createAuthenticator(
    { cloud, ...auth, problems: access.problems },
    {
      // Each call would say the same.
      onRefusal: (reason, message) => {
        const known = reason === 'SigningKeysUnavailable' ? reason : 'AuthNotConfigured';
        if (logged.due(`${known} ${message}`, performance.now())) log({ level: 'error', reason: known, message });
      },
    },
  );
}
