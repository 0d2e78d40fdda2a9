import pMap from 'p-map';
import type { AuditFiles } from '../audit/audit-client.ts';
import { readRecordsSince } from '../audit/lines.ts';
import { toRecordedEntry } from '../audit/record.ts';
import { describeError } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import type { DriftReport } from '../drift/report/report.ts';
import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import { formatDay } from '../formats/duration.ts';
import { DAY_MS } from '../formats/spans.ts';
import type { NotifySettings } from '../settings/settings.ts';
import type { Leases } from '../work/lease-client.ts';
import { NOTIFY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { createFromRecord } from './from-record.ts';
import { createDigest, createFromReport } from './from-report.ts';
import type { Notification } from './notification.ts';
import type { CollectProgress, Outbox } from './outbox-client.ts';

const LEASE = 'notify/collect';
/** Period before the first collection that it covers. Milliseconds. */
const BACK_MS = 10 * 60_000;
/** Text in the JSON of every record with an entry. */
const ENTRY = '"action":';

interface CollectPorts {
  readonly settings: { readonly notify: NotifySettings };
  readonly leases: Leases;
  readonly outbox: Pick<Outbox, 'add' | 'readProgress' | 'saveProgress'>;
  readonly auditWatch: { readonly files: AuditFiles };
  readonly driftStorage: {
    newestOn(days: readonly string[]): Promise<DriftReport | undefined>;
  };
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly now: () => Date;
}

/** New notifications of a source, and the progress to save once they are in the outbox. */
interface Collected {
  readonly found: readonly Notification[];
  readonly next?: Partial<CollectProgress>;
}

/**
 * Collects notifications from new audit records and new causes in the newest drift report, and a daily digest. Adds
 * each to the outbox, then sends a message that names it. No change of a key or account depends on it.
 *
 * At least once: saves the progress last. After a crash the next collection adds the same notifications again.
 * Only one instance collects at a time.
 *
 * @param signal aborts the collection; the next collection continues
 */
export async function collectNotifications(ports: CollectPorts, log: Log, signal: AbortSignal): Promise<void> {
  const { notify } = ports.settings;
  if (notify.problems.length > 0) logHeld(log, notify.problems.join('\n'));
  if (notify.targets.length === 0) return;

  try {
    const lease = await ports.leases.acquire(LEASE);
    if (!lease) return;

    try {
      await collectAll(ports, log, signal);
    } finally {
      await lease.release();
    }
  } catch (error) {
    logHeld(log, describeError(error));
  }
}

/** Collects from all sources. A failure of one source does not stop the others. */
async function collectAll(ports: CollectPorts, log: Log, signal: AbortSignal): Promise<void> {
  const { outbox, now } = ports;
  const since = new Date(now().getTime() - BACK_MS).toISOString();
  let progress = (await outbox.readProgress()) ?? { since, known: [], digest: { day: formatDay(now()) } };

  for (const collect of [collectRecords, collectCauses, collectDigest]) {
    try {
      const { found, next } = await collect(progress, ports, signal);
      await addToOutbox(found, ports);

      if (!next) continue;

      await outbox.saveProgress({ ...progress, ...next });
      progress = { ...progress, ...next };
    } catch (error) {
      logHeld(log, describeError(error));
    }
  }
}

async function collectRecords(
  { last, since }: CollectProgress,
  { auditWatch }: CollectPorts,
  signal: AbortSignal,
): Promise<Collected> {
  const found: Notification[] = [];
  let newest: { readonly hash: string; readonly time: string } | undefined;

  for await (const record of readRecordsSince(auditWatch.files, ENTRY, new Date(since), signal)) {
    if (record.hash === last) break;

    newest ??= record;

    // All later records of the same chain are new, independent of clocks. After a chain was moved, ids deduplicate.
    if (last === undefined && record.time < since) continue;

    const entry = toRecordedEntry(record);
    const notification = entry && createFromRecord(entry);
    if (notification) found.push(notification);
  }

  found.reverse();

  return newest ? { found, next: { last: newest.hash, since: newest.time } } : { found };
}

async function collectCauses({ known: before }: CollectProgress, ports: CollectPorts): Promise<Collected> {
  // Reads the newest report even if it was collected before: events add causes to it.
  const report = await newestReport(ports);
  if (!report) return { found: [] };
  const { notifications, known } = createFromReport(report, before);
  const isUnchanged = known.join('\n') === before.join('\n');

  return isUnchanged ? { found: notifications } : { found: notifications, next: { known: [...known] } };
}

async function collectDigest({ digest }: CollectProgress, ports: CollectPorts): Promise<Collected> {
  const now = ports.now();
  const day = formatDay(now);
  if (now.getUTCHours() < ports.settings.notify.digestHour || digest.day >= day) return { found: [] };
  const report = await newestReport(ports);
  const { notification, causes } = createDigest({ day, now, report, before: digest.causes });
  return { found: [notification], next: { digest: { day, causes: { ...causes } } } };
}

/** Returns the newest report of today or yesterday: a check may end after midnight. */
function newestReport({ driftStorage, now }: CollectPorts): Promise<DriftReport | undefined> {
  return driftStorage.newestOn([formatDay(now()), formatDay(new Date(now().getTime() - DAY_MS))]);
}

async function addToOutbox(
  notifications: readonly Notification[],
  { settings, outbox, queue }: CollectPorts,
): Promise<void> {
  const wanted = notifications.flatMap((notification) =>
    settings.notify.targets
      .filter((target) => target.notifications.some((kind) => kind === notification.kind))
      .map(({ name }) => ({ target: name, notification })),
  );

  const add = async ({ target, notification }: (typeof wanted)[number]): Promise<void> => {
    const { id, time } = notification;
    await outbox.add(target, notification);
    const cause = { by: 'notify', ref: id, since: time };
    await queue.send(NOTIFY_WORK, { kind: 'notify', target, notification: id, cause });
  };

  await pMap(wanted, add, { concurrency: CONCURRENCY });
}

function logHeld(log: Log, why: string): void {
  log({ level: 'error', reason: 'NotificationsHeld', message: `${REASONS.NotificationsHeld} ${why}` });
}
