import type { Log } from '../errors/log.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import {
  type ChangesWork,
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
  type NewWorkItem,
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
export type Job = RotateWork | ProbeWork | NotifyWork | ChangesWork;

export function isJob(work: Work): work is Job {
  return isJobKind(work.kind);
}

/** Returns what a job's item is about. */
function getAbout(job: Job): string {
  if (job.kind === 'changes') return '';
  return job.kind === 'notify' ? `${job.target}/${job.notification}` : job.key;
}

function createItem(job: Job, since: Date): Omit<NewWorkItem, 'due'> {
  return { subscription: NO_SUBSCRIPTION, kind: job.kind, about: getAbout(job), since, cause: job.cause };
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

type RequestPorts = Pick<JobPorts, 'queue' | 'now'> & { readonly items: Pick<WorkItems, 'putNew'> };

/**
 * Requests a job by a message, and by an item for a message that is lost or whose process dies. Either is enough. An
 * item that exists stays, since a request runs it at any time.
 *
 * @throws the SDK's error if both fail
 */
export async function requestJob(job: Job, delaySeconds: number, { items, queue, now }: RequestPorts): Promise<void> {
  const since = now();
  const due = new Date(since.getTime() + delaySeconds * 1_000 + CLAIM_MS);
  const [stored, sent] = await Promise.allSettled([
    items.putNew([{ ...createItem(job, since), due }]),
    queue.send(getQueueOfJob(job), job, delaySeconds),
  ]);

  if (stored.status === 'rejected' && sent.status === 'rejected') throw stored.reason;
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

  // Another instance has begun to run it. A request still runs, since its cause may be newer.
  const claimed = message.hint && item ? await claim(item, ports) : item;
  if (message.hint && !claimed) return;

  const job = message.hint && claimed ? { ...message, cause: claimed.cause } : message;
  const attempts = item?.attempts ?? 0;
  const isExhausted = message.hint && attempts >= MAX_ATTEMPTS;
  const outcome = isExhausted ? PROCESS_DIED : await run(job, attempts).catch(toOutcome);

  // The other worker continues the item.
  if (outcome.outcome === 'busy' && !message.hint) return;

  const next = planNext(job, outcome, attempts);

  if (next) {
    const isStored = await postpone(job, claimed, next, ports);

    // Another worker has changed the item, but may have left this step to this one.
    if (!isStored && outcome.outcome === 'again') await sendRequest(job, next, ports);
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
async function claim(item: WorkItem, { items, now }: JobPorts): Promise<WorkItem | undefined> {
  const due = new Date(now().getTime() + CLAIM_MS);
  const isClaimed = await items.postpone(item, { due, attempts: item.attempts + 1, reason: item.reason });
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
  if (outcome.outcome === 'again') return { attempts: 0, delaySeconds: outcome.delaySeconds };
  if (outcome.outcome === 'busy') return { attempts, delaySeconds: CLAIM_MS / 1_000 };

  const next = outcome.outcome === 'retry' ? planNextTry(attempts, outcome) : undefined;
  if (!next || outcome.outcome !== 'retry') return undefined;

  const delaySeconds = Math.min(next.delaySeconds, getLongestWait(kind) / 1_000);

  return { attempts: next.attempt, delaySeconds, reason: outcome.reason };
}

/**
 * Stores when a job runs next, and sends the hint for it.
 *
 * @returns false if another worker has stored the item, which has its own message
 */
async function postpone(job: Job, claimed: WorkItem | undefined, next: Next, ports: JobPorts): Promise<boolean> {
  const { attempts, delaySeconds, reason } = next;
  const { items, queue, now } = ports;
  const since = now();
  const due = new Date(since.getTime() + delaySeconds * 1_000);
  const store = async (): Promise<boolean> => {
    if (claimed) return items.postpone({ ...claimed, cause: job.cause }, { due, attempts, reason });
    return (await items.putNew([{ ...createItem(job, since), due, attempts, reason }])).length > 0;
  };

  // While the table does not answer, the job waits in the queue.
  const stored = await store().catch(() => undefined);
  if (stored === false) return false;

  if (!stored) await sendRequest(job, next, ports);
  else if (delaySeconds * 1_000 < SWEEP_MS) await queue.send(getQueueOfJob(job), { ...job, hint: true }, delaySeconds);
  return true;
}

function sendRequest(job: Job, { delaySeconds }: Next, { queue }: JobPorts): Promise<void> {
  return queue.send(getQueueOfJob(job), { ...job, hint: undefined }, delaySeconds);
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
  if (kind === 'changes') return { kind, ...hint };
  if (kind !== 'notify') return { kind, key: about, ...hint };

  const [target = '', notification = ''] = about.split('/');

  return { kind, target, notification, ...hint };
}
