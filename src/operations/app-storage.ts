import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { auditContainer, auditFiles } from '../audit/audit-client.ts';
import { AUDIT_WAIT_MS, type AuditOutcome, auditTrail, type RecordAudit } from '../audit/audit-trail.ts';
import type { AuditEntry } from '../audit/record.ts';
import type { TokenCredential } from '../azure/credential.ts';
import { CmkError, messageOf } from '../errors.ts';
import { createFleetIndex } from '../fleet/create-fleet-index.ts';
import type { FleetIndex } from '../fleet/fleet-index.ts';
import { createFleetTable } from '../fleet/fleet-table-client.ts';
import { requestEach } from '../fleet/fleet-work.ts';
import { createMovedUses } from '../fleet/moved-uses.ts';
import { CONTROL_TABLE } from '../fleet/rollout-store-client.ts';
import { createUseRows } from '../fleet/use-row.ts';
import { createWorkItems } from '../fleet/work-items-client.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import type { Log } from '../log.ts';
import type { ControlPorts } from '../orders/order-pause.ts';
import { createOrdersStore } from '../orders/standing-orders-client.ts';
import type { StatusPorts } from '../rekey/rekey-status.ts';
import type { RevocationCall } from '../revocation/follow-ups.ts';
import { knowsAppStorage } from '../settings/own-storage.ts';
import { SettingsReader } from '../settings/reader.ts';
import { type Environment, readStorageSettings, readSubscriptions } from '../settings/settings.ts';
import { createWorkQueue, requestByMessage, type WorkQueue } from '../work/work-queue-client.ts';
import type { Change } from './journal.ts';
import type { Operator } from './operator.ts';
import type { Azure } from './operator-azure.ts';
import { keyByName } from './resolve.ts';

// The app's own storage, on the operator's sign-in.

/** What break-glass writes there. */
export interface AppRecord {
  readonly audit: RecordAudit;
  readonly queue: Pick<WorkQueue, 'send'>;
}

/** The records of what is done are the app's; on a terminal the journal says it. */
export const NO_LOG: Log = () => {};

const UNKNOWN = 'the storage of the app is not known: set AzureWebJobsStorage__accountName';

/** The app's own storage, as the environment names it; without it every answer says so. */
export function appRecord(environment: Environment, credential: () => TokenCredential): AppRecord {
  let settings: ReturnType<typeof readStorageSettings>;
  try {
    settings = readStorageSettings(environment);
  } catch {
    return { audit: async () => ({ failed: UNKNOWN }), queue: { send: () => Promise.reject(new Error(UNKNOWN)) } };
  }
  return {
    audit: auditTrail(auditFiles(auditContainer(settings, credential)), {
      now: () => new Date(),
      newId: () => randomUUID(),
      sleep: (ms) => sleep(ms),
      random: Math.random,
    }),
    queue: createWorkQueue(settings, credential),
  };
}

/** `written`, or why not. */
export async function inTrail(outcome: Promise<AuditOutcome>): Promise<string> {
  const told = await outcome;
  return 'failed' in told ? told.failed : 'written';
}

/** An operator as the audit trail names callers. */
function callerOf({ objectId, kind, name }: Operator): NonNullable<AuditEntry['caller']> {
  return { objectId, appId: 'cmk', kind: kind === 'User' ? 'person' : 'application', name };
}

/** A call of an operator's own, as the audit trail has calls. */
export function callBy(operator: Operator): Pick<RevocationCall, 'caller' | 'correlationId'> {
  return { caller: callerOf(operator), correlationId: randomUUID() };
}

/** What an operator says about all that a command changes. */
interface Occasion {
  /** `account onboard`. */
  readonly command: string;
  readonly why?: string | undefined;
  readonly ticket?: string | undefined;
}

/** Writes what a command changes into the app's audit trail, while the command goes on. */
export interface ChangeRecorder {
  readonly record: (change: Change) => void;
  /** When all of it is written; what could not be, in words. */
  readonly end: () => Promise<readonly string[]>;
}

export function changeRecorder(
  occasion: Occasion,
  operator: () => Promise<Operator>,
  audit: RecordAudit,
): ChangeRecorder {
  const correlationId = randomUUID();
  const written: Promise<string | undefined>[] = [];
  const write = async ({ text, action, resource, from, to }: Change): Promise<string | undefined> => {
    try {
      const details = { ...occasion, text, from, to };
      const about = { action, reason: 'OperatorChanged', resource, correlationId, details } as const;
      const outcome = await inTrail(audit({ ...about, caller: callerOf(await operator()) }, AUDIT_WAIT_MS));
      return outcome === 'written' ? undefined : `${text}: ${outcome}`;
    } catch (error) {
      return `${text}: ${messageOf(error)}`;
    }
  };
  return {
    record: (change) => written.push(write(change)),
    end: async () => (await Promise.all(written)).flatMap((problem) => problem ?? []),
  };
}

/** Pauses and re-keys: what the app itself goes by. */
export interface AppOrders extends ControlPorts, StatusPorts {
  readonly fleet: FleetIndex;
  /** CMK_SUBSCRIPTIONS; undefined: which subscriptions the app sees, only the app knows. */
  readonly subscriptions: readonly string[] | undefined;
  /** URL of the table service. */
  readonly url: string;
}

/** @throws {@link CmkError} `ArgumentInvalid` when the environment does not name that storage */
export function appOrders(environment: Environment, azure: Azure, credential: () => TokenCredential): AppOrders {
  if (!knowsAppStorage(environment)) {
    throw new CmkError(
      'ArgumentInvalid',
      "The app's storage is not known, where pauses and re-keys are.",
      "Set AzureWebJobsStorage__accountName to the app's storage account.",
    );
  }
  const { now, keys, cloud } = azure;
  const settings = readStorageSettings({ ...environment, AZURE_CLOUD: cloud.name });
  const { storage } = settings;
  const table = createFleetTable(settings, credential);
  const record = appRecord(environment, credential);
  const orderStore = createOrdersStore(settings, credential);
  const subscriptions = readSubscriptions(new SettingsReader(environment));
  const items = createWorkItems(settings, credential);
  const vaults: AppOrders['vaults'] = {
    key: (id) => (parseKeyIdentifier(id) ? keyByName(id, undefined, cloud) : undefined),
  };
  return {
    ...{ ...record, orderStore, keys, now, vaults, settings: { vaults } },
    control: { learn: () => {} },
    newId: () => randomUUID(),
    requestKeys: (of, cause) => requestEach(of, cause, { items, requestKey: requestByMessage(record.queue) }),
    moved: createMovedUses(createFleetTable(settings, credential, CONTROL_TABLE)),
    useRows: createUseRows(table),
    fleet: createFleetIndex(table),
    subscriptions,
    inSight: async () => subscriptions,
    url: 'tableUri' in storage ? storage.tableUri : 'the storage of the connection string',
  };
}
