import pMap from 'p-map';
import { z } from 'zod';
import type { AuditFiles } from '../audit/audit-files.ts';
import { readOn } from '../audit/trail-tail.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import type { DriftReport } from '../drift/report.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { NotifySettings } from '../settings/notify.ts';
import { dayOf } from '../time/duration.ts';
import { DAY_MS } from '../time/spans.ts';
import type { Lease, Leases } from '../work/lease-client.ts';
import { NOTIFY_WORK, type NotifyWork } from '../work/messages.ts';
import type { Notification } from '../work/notification.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { fromRecord } from './from-record.ts';
import { digestOf, fromReport } from './from-report.ts';

/** Held while one instance looks what there is to tell. Its state says what is told already. */
const LEASE = 'notify/collect';
/** Where nothing was told before, what happened so shortly before is still told. Milliseconds. */
const BACK_MS = 10 * 60_000;
/** Messages that are put into the queue at a time. */
const AT_A_TIME = 8;

const STATE = z.object({
  /** Up to where the audit trail is told. */
  trail: z.object({ file: z.string(), position: z.int().nonnegative() }).optional(),
  /** What was recorded before is not told (ISO 8601). */
  since: z.iso.datetime(),
  /** The causes that are known. */
  known: z.array(z.string()).default([]),
  /** The last digest: its day, and how its causes read, by id. There is none on the first day. */
  digest: z.object({ day: z.string(), causes: z.record(z.string(), z.string()).optional() }),
});
type State = z.output<typeof STATE>;

interface CollectPorts {
  readonly settings: { readonly notify: NotifySettings };
  readonly leases: Leases;
  readonly auditWatch: { readonly files: AuditFiles };
  readonly driftStorage: {
    newestOn(days: readonly string[]): Promise<DriftReport | undefined>;
  };
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly now: () => Date;
}

/**
 * Looks what there is to tell, and puts it into the queue of notifications: what the audit trail has more than at the look
 * before, what is new in the newest drift report, and once a day the digest. Nobody who changes anything has to think of
 * notifications, or waits for them: they follow from what is written down.
 *
 * What was told is kept after it is in the queue: killed in between, it is put there again, with the same ids. One
 * instance does it at a time; another one leaves it to that.
 *
 * @param signal when it aborts, the rest is left to the next look
 */
export async function collectNotifications(ports: CollectPorts, log: Log, signal: AbortSignal): Promise<void> {
  const { notify } = ports.settings;
  if (notify.problems.length > 0) held(log, notify.problems.join('\n'));
  if (notify.targets.length === 0) return;
  try {
    const lease = await ports.leases.acquire(LEASE);
    if (!lease) return;
    try {
      await new Look(ports, lease, log, signal).run();
    } finally {
      await lease.release();
    }
  } catch (error) {
    held(log, describe(describeFailure(error)));
  }
}

class Look {
  readonly #ports: CollectPorts;
  readonly #lease: Lease;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  #state: State;

  constructor(ports: CollectPorts, lease: Lease, log: Log, signal: AbortSignal) {
    this.#ports = ports;
    this.#lease = lease;
    this.#log = log;
    this.#signal = signal;
    this.#state = STATE.safeParse(lease.state).data ?? firstState(ports.now());
  }

  /** Each of the three by itself: what cannot be read keeps nothing else from being told. */
  async run(): Promise<void> {
    for (const step of [() => this.#trail(), () => this.#report(), () => this.#digest()]) {
      try {
        await step();
      } catch (error) {
        held(this.#log, describe(describeFailure(error)));
      }
    }
  }

  async #trail(): Promise<void> {
    const { auditWatch, now } = this.#ports;
    while (!this.#signal.aborted) {
      const piece = await readOn(auditWatch.files, this.#state.trail, dayOf(now()));
      if (!piece) return;
      const since = Date.parse(this.#state.since);
      const recent = piece.records.filter(({ time }) => Date.parse(time) >= since);
      await this.#tell(recent.flatMap((record) => fromRecord(record) ?? []));
      await this.#keep({ trail: { file: piece.end.file, position: piece.end.position } });
    }
  }

  async #report(): Promise<void> {
    // An event adds to a report that was told before.
    const report = await this.#newest();
    if (!report) return;
    const { notifications, known } = fromReport(report, this.#state.known);
    await this.#tell(notifications);
    if (JSON.stringify(known) !== JSON.stringify(this.#state.known)) await this.#keep({ known: [...known] });
  }

  async #digest(): Promise<void> {
    const now = this.#ports.now();
    const day = dayOf(now);
    const { digest } = this.#state;
    if (now.getUTCHours() < this.#ports.settings.notify.digestHour || digest.day >= day) return;
    const report = await this.#newest();
    const { notification, causes } = digestOf({ day, now, report, before: digest.causes });
    await this.#tell([notification]);
    await this.#keep({ digest: { day, causes: { ...causes } } });
  }

  /** Of today or yesterday: a check that began before midnight may end after it. */
  #newest(): Promise<DriftReport | undefined> {
    const { driftStorage, now } = this.#ports;
    const days = [dayOf(now()), dayOf(new Date(now().getTime() - DAY_MS))];
    return driftStorage.newestOn(days);
  }

  async #tell(notifications: readonly Notification[]): Promise<void> {
    const { settings, queue } = this.#ports;
    const messages = notifications.flatMap((notification) =>
      settings.notify.targets
        .filter((target) => target.notifications.some((kind) => kind === notification.kind))
        .map((target) => messageFor(target.name, notification)),
    );
    await pMap(messages, (message) => queue.send(NOTIFY_WORK, message), { concurrency: AT_A_TIME });
  }

  async #keep(part: Partial<State>): Promise<void> {
    const state = { ...this.#state, ...part };
    await this.#lease.save(state);
    this.#state = state;
  }
}

function firstState(now: Date): State {
  return { since: new Date(now.getTime() - BACK_MS).toISOString(), known: [], digest: { day: dayOf(now) } };
}

function messageFor(target: string, notification: Notification): NotifyWork {
  const cause = { by: 'notify', ref: notification.id, since: notification.time };
  return { kind: 'notify', target, notification, cause, attempt: 0 };
}

function held(log: Log, why: string): void {
  log({ level: 'error', reason: 'NotificationsHeld', message: `${REASONS.NotificationsHeld} ${why}` });
}
