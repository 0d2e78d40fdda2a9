import { randomUUID } from 'node:crypto';
import { createAuditFiles, openAuditContainer } from '../../audit/audit-client.ts';
import { AUDIT_WAIT_MS, type AuditOutcome, createAuditTrail, type RecordAudit } from '../../audit/audit-trail.ts';
import type { Change } from '../../audit/journal.ts';
import type { AuditEntry } from '../../audit/record.ts';
import type { TokenCredential } from '../../azure/credential.ts';
import { getMessage } from '../../errors/errors.ts';
import type { Log } from '../../errors/log.ts';
import type { RevocationCall } from '../../revocation/follow-ups.ts';
import { listAuditWarnings } from '../../revocation/record-revocation.ts';
import { type Environment, readStorageSettings } from '../../settings/settings.ts';
import { createWorkQueue, type WorkQueue } from '../../work/work-queue-client.ts';
import type { Operation, Operator } from './operator-azure.ts';

// The app's own storage, accessed with the operator's sign-in.

/** Parts of the storage that break-glass writes. */
export interface AppRecord {
  readonly audit: RecordAudit;
  readonly queue: Pick<WorkQueue, 'send'>;
}

/** Discards log records: on a terminal the journal shows the same information. */
export const NO_LOG: Log = () => {};

const UNKNOWN = 'no setting names the storage of the app: set AzureWebJobsStorage__accountName';

/**
 * Opens the app's own storage by the environment's settings. Without them every result reports that they are missing.
 */
export function openAppRecord(environment: Environment, credential: () => TokenCredential): AppRecord {
  let settings: ReturnType<typeof readStorageSettings>;
  try {
    settings = readStorageSettings(environment);
  } catch {
    return { audit: async () => ({ failed: UNKNOWN }), queue: { send: () => Promise.reject(new Error(UNKNOWN)) } };
  }

  return {
    audit: createAuditTrail(
      createAuditFiles(openAuditContainer(settings, credential)),
      { now: () => new Date(), newId: () => randomUUID() },
      NO_LOG,
    ),
    queue: createWorkQueue(settings, credential),
  };
}

/** Returns `written`, or why the audit trail could not be written. */
async function inTrail(outcome: Promise<AuditOutcome>): Promise<string> {
  const recorded = await outcome;
  return 'failed' in recorded ? recorded.failed : 'written';
}

/** Converts an operator to a caller of the audit trail. */
function callerOf({ objectId, kind, name }: Operator): NonNullable<AuditEntry['caller']> {
  return { objectId, appId: 'cmk', kind: kind === 'User' ? 'person' : 'application', name };
}

/** Caller and a new correlation id, for records of a command. */
export function createCallBy(operator: Operator): Pick<RevocationCall, 'caller' | 'correlationId'> {
  return { caller: callerOf(operator), correlationId: randomUUID() };
}

/**
 * Appends an operator action to the audit trail, and notes a failure.
 *
 * @returns `written`, or why the audit trail could not be written
 */
export async function recordDone(
  entry: AuditEntry,
  audit: RecordAudit,
  { azure, journal }: Operation,
  waitMs = AUDIT_WAIT_MS,
): Promise<string> {
  const audited = await inTrail(audit({ ...createCallBy(await azure.operator()), ...entry }, waitMs));
  for (const warning of listAuditWarnings({ audit: audited })) journal.note(warning);
  return audited;
}

/** Details that apply to every change of a command. */
interface Occasion {
  /** `account onboard`. */
  readonly command: string;
  readonly why?: string | undefined;
  readonly ticket?: string | undefined;
}

export type ChangeRecorder = ReturnType<typeof createChangeRecorder>;

/** Writes each change of a command to the app's audit trail, while the command continues. */
export function createChangeRecorder(occasion: Occasion, operator: () => Promise<Operator>, audit: RecordAudit) {
  const correlationId = randomUUID();
  const written: Promise<string | undefined>[] = [];
  const write = async ({ text, action, resource, from, to }: Change): Promise<string | undefined> => {
    try {
      const details = { ...occasion, text, from, to };
      const about = { action, reason: 'OperatorChanged', resource, correlationId, details } as const;
      const outcome = await inTrail(audit({ ...about, caller: callerOf(await operator()) }, AUDIT_WAIT_MS));
      return outcome === 'written' ? undefined : `${text}: ${outcome}`;
    } catch (error) {
      return `${text}: ${getMessage(error)}`;
    }
  };

  return {
    record: (change: Change): void => {
      written.push(write(change));
    },
    /** Waits until every change is written. Returns the failures. */
    end: async () => (await Promise.all(written)).flatMap((problem) => problem ?? []),
  };
}
