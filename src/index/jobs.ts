import type { Log } from '../errors/log.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import {
  KEY_WORK,
  NOTIFY_WORK,
  type NotifyWork,
  type ProbeWork,
  type RotateWork,
  type Work,
} from '../work/messages.ts';
import { type JobOutcome, type Outcome, toOutcome } from '../work/outcome.ts';
import { MAX_ATTEMPTS, planNextTry } from '../work/process.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import {
  getDue,
  getLongestWait,
  isJobKind,
  type JobKind,
  NO_SUBSCRIPTION,
  SWEEP_MS,
  type WorkItem,
  type WorkItems,
} from './work-items.ts';

// A job is work of one function call: it is requested by a message, and what must happen later is a work item. The item
// has the time and the number of attempts; a message about it is a hint. The job itself decides from what it reads.

/** While a job runs, its item is due this much later, for a process that dies. Longer than a round of probes. Milliseconds. */
export const CLAIM_MS = 150_000;

/** A hint counts as due this much early: clocks of storage answers show whole seconds. Milliseconds. */
const EARLY_MS = 2_000;

/** Messages of jobs. */
export type Job = RotateWork | ProbeWork | NotifyWork;

export function isJob(work: Work): work is Job {
  return isJobKind(work.kind);
}

/** Returns what a job's item is about. */
function getAbout(job: Job): string {
  return job.kind === 'notify' ? `${job.target}/${job.notification}` : job.key;
}

export function getQueueOfJob({ kind }: Job): typeof KEY_WORK | typeof NOTIFY_WORK {
  return kind === 'notify' ? NOTIFY_WORK : KEY_WORK;
}

export interface JobPorts {
  readonly items: Pick<WorkItems, 'ofJob' | 'postpone' | 'putNew' | 'finish'>;
  readonly queue: Pick<WorkQueue, 'send'>;
  /** Moves the message to the poison queue. */
  readonly poison: (reason: Reason, detail: string) => Promise<void>;
  /** Clock of the app's storage account. */
  readonly now: () => Date;
  readonly log: Log;
}

/**
 * Runs a job, and stores when it runs next. A hint runs only an item that is due. A request always runs, so it needs no
 * item, and continues the item that exists. If a process dies, the sweep finds the item, or the host delivers the
 * request again.
 *
 * @param run runs the job
 * @throws the SDK's error if neither an item nor a message can be stored: the host then delivers the message again
 */
export async function runJob(
  message: Job,
  run: (job: Job, attempts: number) => Promise<JobOutcome>,
  ports: JobPorts,
): Promise<void> {
  // A job of an item that cannot be read runs all the same: it may need no table.
  const item = await ports.items.ofJob(message.kind, getAbout(message)).catch(() => undefined);
  if (message.hint && !(item && isDue(item, ports.now()))) return;

  const claimed = item && (await claim(item, message, ports));

  // Another instance has begun to run it. A request still runs, since its cause may be newer.
  if (item && !claimed && message.hint) return;

  const job = claimed ? { ...message, cause: claimed.cause } : message;
  const attempts = item?.attempts ?? 0;
  const isExhausted = message.hint && attempts >= MAX_ATTEMPTS;
  const outcome = isExhausted ? PROCESS_DIED : await run(job, attempts).catch(toOutcome);
  const next = planNext(job, outcome, attempts);

  if (next) {
    await postpone(job, claimed, next, ports);
    if (outcome.outcome === 'retry') logRetry(job, outcome, next, ports);
    return;
  }

  // The item goes last: until then, the sweep repeats what a process that dies has left.
  if (outcome.outcome === 'reject') await ports.poison(outcome.reason, outcome.detail);
  if (outcome.outcome === 'retry') {
    await ports.poison(outcome.reason, `Failed after ${attempts + 1} attempts. ${outcome.detail}`);
  }

  if (claimed) await ports.items.finish(claimed);
}

const PROCESS_DIED: Outcome = {
  outcome: 'reject',
  reason: 'Unexpected',
  detail: `Its process died at ${MAX_ATTEMPTS} attempts.`,
};

function isDue(item: WorkItem, now: Date): boolean {
  return getDue(item, now).getTime() <= now.getTime() + EARLY_MS;
}

/**
 * Hides an item from other instances while this one runs it, and counts an attempt, which only a process that dies does
 * not take back.
 *
 * @returns undefined if the item has changed since the read
 */
async function claim(item: WorkItem, { hint, cause }: Job, { items, now }: JobPorts): Promise<WorkItem | undefined> {
  const due = new Date(now().getTime() + CLAIM_MS);
  const wanted = hint ? item : { ...item, cause };
  const isClaimed = await items.postpone(wanted, { due, attempts: item.attempts + 1, reason: item.reason });
  if (!isClaimed) return undefined;

  // A request that was stored since then is included: the job has read nothing yet.
  return items.ofJob(item.kind as JobKind, item.about);
}

/** When a job runs next. */
interface Next {
  readonly attempts: number;
  readonly delaySeconds: number;
  readonly reason?: Reason;
}

/** Returns undefined for a job that is done, rejected, or out of attempts. */
function planNext({ kind }: Job, outcome: JobOutcome, attempts: number): Next | undefined {
  if (outcome.outcome === 'again') return { attempts, delaySeconds: outcome.delaySeconds };

  const next = outcome.outcome === 'retry' ? planNextTry(attempts, outcome) : undefined;
  if (!next || outcome.outcome !== 'retry') return undefined;

  const delaySeconds = Math.min(next.delaySeconds, getLongestWait(kind) / 1_000);

  return { attempts: next.attempt, delaySeconds, reason: outcome.reason };
}

/** Stores when a job runs next, and sends the hint for it. A newer request has its own message. */
async function postpone(
  job: Job,
  claimed: WorkItem | undefined,
  { attempts, delaySeconds, reason }: Next,
  { items, queue, now }: JobPorts,
): Promise<void> {
  const at = now();
  const due = new Date(at.getTime() + delaySeconds * 1_000);
  const created = {
    subscription: NO_SUBSCRIPTION,
    kind: job.kind,
    about: getAbout(job),
    since: at,
    cause: job.cause,
  } as const;
  const store = async (): Promise<boolean> => {
    if (claimed) return items.postpone(claimed, { due, attempts, reason });
    return (await items.putNew([{ ...created, due, attempts, reason }])).length > 0;
  };

  // While the table does not answer, the job waits in the queue.
  const stored = await store().catch(() => undefined);
  if (stored === false) return;

  if (!stored) await queue.send(getQueueOfJob(job), { ...job, hint: undefined }, delaySeconds);
  else if (delaySeconds * 1_000 < SWEEP_MS) await queue.send(getQueueOfJob(job), { ...job, hint: true }, delaySeconds);
}

function logRetry(
  job: Job,
  { reason, detail }: Extract<Outcome, { outcome: 'retry' }>,
  next: Next,
  { log }: JobPorts,
): void {
  log({ level: 'warning', reason, message: `${REASONS[reason]} ${detail}`, work: job, ...next });
}

/** Returns the message that runs a stored job. */
export function toHint({ kind, about, cause }: Pick<WorkItem, 'kind' | 'about' | 'cause'>): Job | undefined {
  if (!isJobKind(kind)) return undefined;

  const hint = { cause, hint: true } as const;
  if (kind !== 'notify') return { kind, key: about, ...hint };

  const [target = '', notification = ''] = about.split('/');

  return { kind, target, notification, ...hint };
}
