import { setTimeout as sleep } from 'node:timers/promises';
import { describe, describeFailure } from '../azure/failure.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { AuditFiles } from './audit-files.ts';
import { auditTrail, type RecordAudit } from './audit-trail.ts';

/** The trail of this process: what is written and what fails is told to the log. */
export function createAudit(
  files: AuditFiles,
  { now, newId }: { readonly now: () => Date; readonly newId: () => string },
  log: Log,
): RecordAudit {
  return auditTrail(files, {
    now,
    newId,
    sleep: (ms) => sleep(ms),
    random: Math.random,
    onWritten: ({ action, resource, id }, { file, seq, hash }) => {
      const about = { action, key: resource, entry: id, file, receipt: `${seq}:${hash}` };
      log({ level: 'info', reason: 'AuditWritten', message: REASONS.AuditWritten, ...about });
    },
    onFailure: (error, entries) => {
      const message = `${REASONS.AuditFailed} ${describe(describeFailure(error))}`;
      for (const entry of entries) log({ level: 'error', reason: 'AuditFailed', message, entry });
    },
  });
}
