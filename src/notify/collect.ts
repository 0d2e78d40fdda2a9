import pMap from 'p-map';
import { z } from 'zod';
import type { AuditFiles } from '../audit/audit-client.ts';
import { recordsSince } from '../audit/lines.ts';
import { recordedEntry } from '../audit/record.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import type { DriftReport } from '../drift/report.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { NotifySettings } from '../settings/settings.ts';
import { dayOf } from '../time/duration.ts';
import { DAY_MS } from '../time/spans.ts';
import type { Leases } from '../work/lease-client.ts';
import { NOTIFY_WORK, type NotifyWork } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { fromRecord } from './from-record.ts';
import { digestOf, fromReport } from './from-report.ts';
import type { Notification } from './notification.ts';
import type { Outbox } from './outbox-client.ts';

/** Lease of the instance that collects. */
const LEASE = 'notify/collect';
/** Period before the first collection that it covers. Milliseconds. */
const BACK_MS = 10 * 60_000;
/** Text in the JSON of every record with an entry. */
const ENTRY = '"action":';
/** Concurrent additions to the outbox. */
const AT_A_TIME = 8;

/** Progress of the collection, in the control zone, since the digest quotes parts of it. */
const PROGRESS = z.object({
  /** Hash and time of the last collected audit record; before the first record, the time at which collection starts. */
  last: z.string().optional(),
  since: z.iso.datetime(),
  /** Causes that were already collected. */
  known: z.array(z.string()).default([]),
  /** Day of the last digest, and texts of its causes by id. The first day has no digest. */
  digest: z.object({ day: z.string(), causes: z.record(z.string(), z.string()).optional() }),
});
type Progress = z.output<typeof PROGRESS>;

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
      await new Collection(ports, await ports.outbox.readProgress(), log, signal).run();
    } finally {
      await lease.release();
    }
  } catch (error) {
    logHeld(log, describe(describeFailure(error)));
  }
}

class Collection {
  readonly #ports: CollectPorts;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  #progress: Progress;

  constructor(ports: CollectPorts, progress: unknown, log: Log, signal: AbortSignal) {
    this.#ports = ports;
    this.#log = log;
    this.#signal = signal;
    this.#progress = PROGRESS.safeParse(progress).data ?? firstProgress(ports.now());
  }

  /** Runs all steps. A failure of one source does not stop the others. */
  async run(): Promise<void> {
    for (const step of [() => this.#trail(), () => this.#report(), () => this.#digest()]) {
      try {
        await step();
      } catch (error) {
        logHeld(this.#log, describe(describeFailure(error)));
      }
    }
  }

  async #trail(): Promise<void> {
    const { files } = this.#ports.auditWatch;
    const { last, since } = this.#progress;
    const found: Notification[] = [];
    let newest: { readonly hash: string; readonly time: string } | undefined;
    for await (const record of recordsSince(files, ENTRY, new Date(since), this.#signal)) {
      if (record.hash === last) break;
      newest ??= record;
      // All later records of the same chain are new, independent of clocks. After a chain was moved, ids deduplicate.
      if (last === undefined && record.time < since) continue;
      const entry = recordedEntry(record);
      found.push(...(entry ? [fromRecord(entry) ?? []].flat() : []));
    }
    if (!newest) return;
    await this.#add(found.reverse());
    await this.#save({ last: newest.hash, since: newest.time });
  }

  async #report(): Promise<void> {
    // Reads the newest report even if it was collected before: events add causes to it.
    const report = await this.#newest();
    if (!report) return;
    const { notifications, known } = fromReport(report, this.#progress.known);
    await this.#add(notifications);
    if (JSON.stringify(known) !== JSON.stringify(this.#progress.known)) await this.#save({ known: [...known] });
  }

  async #digest(): Promise<void> {
    const now = this.#ports.now();
    const day = dayOf(now);
    const { digest } = this.#progress;
    if (now.getUTCHours() < this.#ports.settings.notify.digestHour || digest.day >= day) return;
    const report = await this.#newest();
    const { notification, causes } = digestOf({ day, now, report, before: digest.causes });
    await this.#add([notification]);
    await this.#save({ digest: { day, causes: { ...causes } } });
  }

  /** Returns the newest report of today or yesterday: a check may end after midnight. */
  #newest(): Promise<DriftReport | undefined> {
    const { driftStorage, now } = this.#ports;
    const days = [dayOf(now()), dayOf(new Date(now().getTime() - DAY_MS))];
    return driftStorage.newestOn(days);
  }

  async #add(notifications: readonly Notification[]): Promise<void> {
    const { settings, outbox, queue } = this.#ports;
    const wanted = notifications.flatMap((notification) =>
      settings.notify.targets
        .filter((target) => target.notifications.some((kind) => kind === notification.kind))
        .map(({ name }) => ({ target: name, notification })),
    );
    const add = async ({ target, notification }: (typeof wanted)[number]): Promise<void> => {
      await outbox.add(target, notification);
      await queue.send(NOTIFY_WORK, messageFor(target, notification));
    };
    await pMap(wanted, add, { concurrency: AT_A_TIME });
  }

  async #save(part: Partial<Progress>): Promise<void> {
    const progress = { ...this.#progress, ...part };
    await this.#ports.outbox.saveProgress(progress);
    this.#progress = progress;
  }
}

function firstProgress(now: Date): Progress {
  return { since: new Date(now.getTime() - BACK_MS).toISOString(), known: [], digest: { day: dayOf(now) } };
}

function messageFor(target: string, { id, time }: Notification): NotifyWork {
  return { kind: 'notify', target, notification: id, cause: { by: 'notify', ref: id, since: time }, attempt: 0 };
}

function logHeld(log: Log, why: string): void {
  log({ level: 'error', reason: 'NotificationsHeld', message: `${REASONS.NotificationsHeld} ${why}` });
}
