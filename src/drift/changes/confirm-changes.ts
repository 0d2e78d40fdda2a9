import pMap from 'p-map';
import type { ActivityLog, LoggedWrite } from '../../accounts/activity-log-client.ts';
import { describeError } from '../../azure/failure.ts';
import type { Log } from '../../errors/log.ts';
import type { ChangedBy } from '../../events/resource-event.ts';
import type { ReportStore } from '../store/drift-storage-client.ts';

/** Maximum number of changes per call. */
const MOST_CONFIRMED = 20;
/** The activity log may date a call slightly earlier than its event. Milliseconds. */
const BEFORE_MS = 5 * 60_000;

/**
 * Marks changes that the activity log confirms. The log may be minutes late, so the hourly check retries. Never throws.
 */
export async function confirmChanges(
  changes: readonly ChangedBy[],
  {
    activityLog,
    driftStorage,
  }: { readonly activityLog: Pick<ActivityLog, 'writes'>; readonly driftStorage: Pick<ReportStore, 'merge'> },
  log: Log,
): Promise<void> {
  const open = changes.filter(({ confirmed }) => !confirmed).slice(0, MOST_CONFIRMED);
  if (open.length === 0) return;

  const confirmed = new Set<string>();
  try {
    await pMap(open, async (change) => {
      const since = new Date(Date.parse(change.on) - BEFORE_MS);
      if ((await activityLog.writes(change.resource, since)).some((write) => isSame(write, change))) {
        confirmed.add(keyOf(change));
      }
    });

    if (confirmed.size > 0) {
      const confirm = <T extends ChangedBy>(one: T): T =>
        confirmed.has(keyOf(one)) ? { ...one, confirmed: true } : one;
      await driftStorage.merge((report) => ({
        ...report,
        findings: report.findings.map((one) => (one.changedBy ? { ...one, changedBy: confirm(one.changedBy) } : one)),
        changes: report.changes.map(confirm),
      }));
    }
  } catch (error) {
    const message = `The app could not read the activity log, so the author of a change is not confirmed. ${describeError(error)}`;
    log({ level: 'info', reason: 'DriftFoundByEvent', message });
  }
}

function isSame({ operation, caller, correlationId }: LoggedWrite, change: ChangedBy): boolean {
  if (operation.toLowerCase() !== change.operation.toLowerCase()) return false;
  if (correlationId !== undefined && change.correlationId !== undefined) return correlationId === change.correlationId;
  return caller !== undefined && caller === change.objectId;
}

function keyOf({ resource, operation, on, correlationId }: ChangedBy): string {
  return [resource.toLowerCase(), operation, on, correlationId].join(' ');
}
