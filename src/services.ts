import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenCredential } from '@azure/identity';
import { type ActivityLog, createActivityLog } from './accounts/activity-log-client.ts';
import { createInSight, type InSight } from './accounts/in-sight.ts';
import { type Dependence, hasDependents } from './accounts/inventory.ts';
import {
  createSubscriptions,
  type Subscriptions,
  type Tenants,
  withVanished,
} from './accounts/subscriptions-client.ts';
import { auditContainer, auditFiles } from './audit/audit-client.ts';
import { createAudit, type RecordAudit } from './audit/audit-trail.ts';
import type { AuditWatch } from './audit/verify-trail.ts';
import type { Cloud } from './azure/cloud.ts';
import { appCredential } from './azure/credential.ts';
import { withTokenDeadline } from './azure/deadline.ts';
import { type Budget, writesOf } from './azure/limiter.ts';
import { APP_TOKEN_MS, LIMITS } from './azure/limits.ts';
import { createResourceGraph, type ResourceGraph } from './dependents/resource-graph-client.ts';
import { createDeletedAccounts, type DeletedAccounts } from './dependents/stored-data-client.ts';
import { type ChangeRows, createChangeRows } from './drift/changes/change-rows.ts';
import { createDriftStorage, type DriftStorage } from './drift/store/drift-storage-client.ts';
import { createDataServices, type DataClients } from './effect/data-services-client.ts';
import { createEffectStore, type EffectStore } from './effect/effect-store-client.ts';
import { canaryProbe } from './effect/probe-targets.ts';
import { createEventGrid, type EventGrid } from './events/event-grid-client.ts';
import { type ControllerServices, createController } from './fleet/create-controller.ts';
import { createFleetIndex, createKnownKeys, type FleetIndex, type KnownKeys } from './fleet/fleet-index.ts';
import { createControlTable, createFleetTable } from './fleet/fleet-table-client.ts';
import { createSeenKeys, type SeenKeys } from './fleet/seen-keys.ts';
import {
  type AccountScopes,
  createStorageAccounts,
  type StorageAccounts,
  tracedAccounts,
} from './fleet/storage-client.ts';
import { type Authenticate, createAuthenticator } from './http/caller.ts';
import { createIdentityClients, type IdentityClients } from './identities/create-identity-clients.ts';
import { createKeyAdmin, type KeyCatalog } from './keys/key-admin-client.ts';
import { createKeys, type Keys } from './keys/key-client.ts';
import type { ManagedKey } from './keys/managed-vaults.ts';
import { createKeyUsageLog, type KeyUsageLog } from './keys/usage-log-client.ts';
import { consoleLog, type Log } from './log.ts';
import { createOutbox, type Outbox } from './notify/outbox-client.ts';
import { createPostWebhook, type PostWebhook } from './notify/webhook-client.ts';
import { createOrdersStore, type OrdersStore } from './orders/standing-orders-client.ts';
import { type KeyTrail, keyTrail } from './revocation/key-trail.ts';
import { newId } from './revocation/revocation.ts';
import { type Environment, readSettings, type Settings } from './settings/settings.ts';
import { NO_TELEMETRY, type Telemetry } from './telemetry/telemetry.ts';
import { createKeyPolicies, type KeyPolicies } from './vaults/key-policy-client.ts';
import { createVaults, type Vaults } from './vaults/vault-client.ts';
import { createVaultGuards, type VaultGuards } from './vaults/vault-guards-client.ts';
import { AtMostEvery } from './work/at-most-every.ts';
import { createLeases, type Leases } from './work/lease-client.ts';
import { queueAges } from './work/queue-ages-client.ts';
import { createWorkQueue, type WorkQueue } from './work/work-queue-client.ts';

/** Everything a use-case needs from outside: settings, Azure, the queue and time. */
export interface Services extends ControllerServices, IdentityClients, DataClients {
  readonly settings: Settings;
  readonly keys: Keys;
  /** The same keys for break-glass: short deadlines, and no retries by the SDK. */
  readonly urgentKeys: Keys;
  readonly accounts: StorageAccounts & AccountScopes;
  readonly activityLog: ActivityLog;
  /** Those that the app's identity sees, and those that it saw before. */
  readonly subscriptions: Subscriptions;
  readonly inSight: InSight;
  /** Who uses which key, as far as it is known. */
  readonly fleet: FleetIndex;
  readonly knownKeys: KnownKeys;
  readonly seenKeys: SeenKeys;
  readonly tenants: Tenants;
  readonly deletedAccounts: DeletedAccounts;
  readonly usageLog: KeyUsageLog;
  readonly resourceGraph: ResourceGraph;
  /** What the file and blob services of a key's dependents were last seen to do. */
  readonly effects: EffectStore;
  /** The managed vaults as ARM shows them. */
  readonly vaults: Vaults;
  readonly vaultGuards: VaultGuards;
  readonly keyPolicies: KeyPolicies;
  /** The event subscriptions of the managed vaults. */
  readonly eventGrid: EventGrid;
  readonly keyCatalog: KeyCatalog;
  /** Drift reports, and what else the check keeps or looks at in the app's own storage. */
  readonly driftStorage: DriftStorage;
  /** Notifications that are to be sent. */
  readonly outbox: Outbox;
  /** Changes that events reported. */
  readonly changes: ChangeRows;
  /** Sends notifications to their receivers. */
  readonly postWebhook: PostWebhook;
  readonly queue: WorkQueue;
  /** Seconds that the oldest message of each queue has waited. */
  readonly queueAges: () => Promise<ReadonlyMap<string, number>>;
  readonly telemetry: Telemetry;
  /** One holder at a time over all instances, for an account or a key. */
  readonly leases: Leases;
  /** The audit trail; it never throws, and answers in time. */
  readonly audit: RecordAudit;
  readonly keyTrail: KeyTrail;
  /** The trail as the drift check looks at it. */
  readonly auditWatch: AuditWatch;
  /** Finds out who calls the HTTP API. */
  readonly authenticate: Authenticate;
  /** What operators have ordered. */
  readonly orderStore: OrdersStore;
  /** What Azure takes of writes in one subscription and region. */
  readonly writeBudgets: readonly Budget[];
  /** Whether anything that the app looks after uses a key. */
  readonly dependents: (key: ManagedKey) => Promise<Dependence>;
  /** An id with randomness in it. */
  readonly newId: () => string;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}

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
): Services {
  const settings = readSettings(environment);
  const identity = withTokenDeadline(credential ?? appCredential(settings.clientId), APP_TOKEN_MS);
  const { cloud } = settings;
  const accounts = tracedAccounts(createStorageAccounts(identity, cloud), telemetry);
  const now = () => new Date();
  const table = createFleetTable(settings, () => identity);
  const control = createControlTable(settings, () => identity);
  const fleet = createFleetIndex(table);
  const keys = createKeys(identity, LIMITS.keyWork);
  const data = createDataServices(identity, cloud);
  const resourceGraph = createResourceGraph(identity, cloud);
  const driftStorage = createDriftStorage(settings, () => identity);
  const queue = createWorkQueue(settings, () => identity, telemetry);
  const listed = createSubscriptions(identity, cloud);
  const subscriptions = withVanished(listed, fleet, now);
  const inReach = async () => settings.subscriptions ?? (await subscriptions.list());
  const inSight = createInSight({ settings, subscriptions });
  const orderStore = createOrdersStore(settings, () => identity);
  const leases = createLeases(settings, () => identity);
  const evidence = createEvidence(settings, identity, { driftStorage, now, newId }, log);
  const controller = createController(
    settings,
    identity,
    { table, control },
    {
      ...{ fleet, queue, leases, accounts, audit: evidence.audit, sleep: (ms) => sleep(ms) },
      ...{ orders: orderStore, inSight },
      subscriptions: inReach,
      probe: canaryProbe({ settings, ...data, now }),
    },
  );
  return {
    settings,
    keys,
    urgentKeys: createKeys(identity, LIMITS.breakGlass),
    accounts,
    activityLog: createActivityLog(identity, cloud),
    subscriptions,
    inSight,
    tenants: listed,
    ...data,
    fleet,
    ...controller,
    ...{ knownKeys: createKnownKeys(table), seenKeys: createSeenKeys(table) },
    ...{ orderStore, writeBudgets: writesOf() },
    ...{ resourceGraph, effects: createEffectStore(settings, () => identity) },
    ...createVaultClients(identity, cloud),
    ...createIdentityClients(identity, cloud),
    eventGrid: createEventGrid(identity, cloud, settings.drift.systemTopics),
    keyCatalog: createKeyAdmin(identity, LIMITS.keyWork),
    driftStorage,
    outbox: createOutbox(settings, () => identity),
    changes: createChangeRows(control),
    postWebhook: createPostWebhook(),
    queue,
    queueAges: () => queueAges(settings, () => identity, now()),
    telemetry,
    leases,
    ...evidence,
    authenticate: authenticator(settings, log),
    dependents: (key) => hasDependents(key, inReach, { accounts, useRows: controller.useRows }),
    ...{ newId, now, sleep: (ms) => sleep(ms) },
  };
}

function createVaultClients(
  identity: TokenCredential,
  cloud: Cloud,
): Pick<Services, 'vaults' | 'vaultGuards' | 'keyPolicies'> {
  return {
    vaults: createVaults(identity, cloud),
    vaultGuards: createVaultGuards(identity, cloud),
    keyPolicies: createKeyPolicies(identity, cloud),
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

/** What is kept of who did what, in the app's own storage; and what proves a version unused. */
function createEvidence(
  settings: Settings,
  identity: TokenCredential,
  { driftStorage, now, newId }: Pick<Services, 'driftStorage' | 'now' | 'newId'>,
  log: Log,
): Pick<Services, 'audit' | 'keyTrail' | 'auditWatch' | 'usageLog' | 'deletedAccounts'> {
  const { cloud, drift } = settings;
  const files = auditFiles(auditContainer(settings, () => identity));
  return {
    audit: createAudit(files, { now, newId }, log),
    keyTrail: keyTrail(files),
    auditWatch: { files, verifiedTo: async () => (await driftStorage.newest())?.trailEnd, now },
    usageLog: createKeyUsageLog(identity, cloud, drift.usageWorkspace),
    deletedAccounts: createDeletedAccounts(identity, cloud),
  };
}
