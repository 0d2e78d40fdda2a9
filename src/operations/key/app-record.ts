import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { auditContainer, auditFiles } from '../../audit/audit-client.ts';
import { auditTrail, type RecordAudit } from '../../audit/audit-trail.ts';
import type { AuditEntry } from '../../audit/record.ts';
import type { TokenCredential } from '../../azure/credential.ts';
import type { WhoAndWhy } from '../../revocation/verification-message.ts';
import { type Environment, readStorageSettings } from '../../settings/settings.ts';
import { createWorkQueue, type WorkQueue } from '../../work/work-queue-client.ts';
import type { Operator } from '../operator.ts';

/** The app's own storage as the command line uses it: what is done is told to the app, where its storage is known. */
export interface AppRecord {
  readonly audit: RecordAudit;
  readonly queue: Pick<WorkQueue, 'send'>;
}

const UNKNOWN = 'the storage of the app is not known: set AzureWebJobsStorage__accountName';

/** The app's own storage, as the environment names it; without it every answer says so. */
export function appRecord(environment: Environment, credential: () => TokenCredential): AppRecord {
  let settings: ReturnType<typeof readStorageSettings>;
  try {
    settings = readStorageSettings(environment);
  } catch {
    return {
      audit: async () => ({ failed: UNKNOWN }),
      queue: {
        send: async () => {
          throw new Error(UNKNOWN);
        },
      },
    };
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

/** An operator as the audit trail names callers. */
export function callerOf({ objectId, kind, name }: Operator): NonNullable<AuditEntry['caller']> {
  return { objectId, appId: 'cmk', kind: kind === 'User' ? 'person' : 'application', name };
}

/** A call of an operator's own, as the audit trail has calls. */
export function callBy(operator: Operator): Pick<WhoAndWhy, 'caller' | 'correlationId'> {
  return { caller: callerOf(operator), correlationId: randomUUID() };
}
