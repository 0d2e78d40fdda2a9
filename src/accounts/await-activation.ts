import { z } from 'zod';
import { type KeyVersion, nextActivation } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Lease, Leases } from '../work/lease-client.ts';
import { KEY_WORK, type KeyWork } from '../work/messages.ts';
import { acquirePatiently } from '../work/patient-lease.ts';
import { toQueueDelay } from '../work/retry.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';

export interface ActivationServices {
  readonly leases: Leases;
  readonly queue: WorkQueue;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Which message waits, by its number, and when it comes: absent when none does. */
const STATE = z.object({ waiter: z.int().nonnegative(), due: z.iso.datetime().optional() });
type State = z.output<typeof STATE>;

/** A message that has not come so long after it was due is lost. More than clocks differ by. Milliseconds. */
const OVERDUE_MS = 10 * 60_000;
/** A message is due up to two seconds after the version is active. Milliseconds. */
const SLACK_MS = 5_000;
const PATIENCE = { tries: 8, pauseMs: 500 };

/**
 * Sees to it that a message waits for the next version to become active, and one alone, whatever the number of looks. Where
 * that cannot be made sure of, there is rather one too many than none; what is too many puts off no other.
 *
 * @returns when the next version becomes active; undefined when there is none
 * @throws the SDK's error when the message cannot be put into the queue
 */
export async function awaitActivation(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  work: KeyWork,
  services: ActivationServices,
): Promise<Date | undefined> {
  const { queue, now } = services;
  const activation = nextActivation(versions, now());
  // The usual case costs nothing.
  if (!activation && work.waiter === undefined) return undefined;
  const send = async (at: Date, waiter?: number): Promise<Date> => {
    const seconds = toQueueDelay((at.getTime() - now().getTime()) / 1000 + 1);
    const due = new Date(now().getTime() + seconds * 1000);
    const cause = { by: 'activation', ref: work.cause.ref, since: at.toISOString() };
    await queue.send(KEY_WORK, { kind: 'key', key: key.id, cause, attempt: 0, waiter }, seconds);
    return due;
  };
  const lease = await acquire(`activation/${key.vault.name}/${key.name.toLowerCase()}`, services);
  try {
    const state = STATE.safeParse(lease?.state).data ?? { waiter: 0 };
    // The message that waited is here; another one may have taken its place.
    const mine = work.waiter === state.waiter;
    if (activation && (mine || !isWaitedFor(state, activation, now()))) {
      const waiter = lease && state.waiter + 1;
      const due = await send(activation, waiter);
      if (waiter !== undefined) await save(lease, { waiter, due: due.toISOString() });
    } else if (!activation && mine) {
      await save(lease, { waiter: state.waiter });
    }
    return activation;
  } finally {
    await lease?.release();
  }
}

/** Whether a message is on its way that will look at the key by then, whatever it was sent for. */
function isWaitedFor({ due }: State, activation: Date, now: Date): boolean {
  if (due === undefined) return false;
  const dueMs = Date.parse(due);
  return now.getTime() < dueMs + OVERDUE_MS && dueMs <= activation.getTime() + SLACK_MS;
}

/** Undefined when it is held by somebody else for long, or the app's storage cannot say. */
function acquire(name: string, { leases, sleep }: ActivationServices): Promise<Lease | undefined> {
  return acquirePatiently(() => leases.acquire(name).catch(() => undefined), PATIENCE, sleep);
}

/** What cannot be saved costs a message that is one too many. */
async function save(lease: Lease | undefined, state: State): Promise<void> {
  await lease?.save(state).catch(() => {});
}
