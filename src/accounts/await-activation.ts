import { z } from 'zod';
import { type KeyVersion, nextActivation } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { CLOCKS_MS } from '../time/spans.ts';
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

/**
 * Which message waits, by its number, and when it comes: absent when none does. `near`: the activation that is a matter of
 * minutes, and has its message already.
 */
const STATE = z.object({
  waiter: z.int().nonnegative(),
  due: z.iso.datetime().optional(),
  near: z.iso.datetime().optional(),
});
type State = z.output<typeof STATE>;

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
    // By somebody's clock what is minutes away has come, and whoever waited for it may have died: what is next counts too.
    const later = nextActivation(versions, new Date(now().getTime() + CLOCKS_MS));
    const near = activation?.getTime() === later?.getTime() ? undefined : activation;
    if (near && (mine || !(state.near === near.toISOString() || isWaitedFor(state, near, now())))) await send(near);
    const next = { waiter: state.waiter, ...(near ? { near: near.toISOString() } : {}) };
    if (later && (mine || !isWaitedFor(state, later, now()))) {
      const waiter = lease && state.waiter + 1;
      const due = await send(later, waiter);
      if (waiter !== undefined) await save(lease, { ...next, waiter, due: due.toISOString() });
    } else if (mine || next.near !== state.near) {
      await save(lease, { ...next, ...(mine || !state.due ? {} : { due: state.due }) });
    }
    return activation;
  } finally {
    await lease?.release();
  }
}

/**
 * Whether a message is on its way that will look at the key by then. One that was sent for something earlier goes on from
 * there; but once that is due by anybody's clock, it may have come already, and its process have died before it said so.
 */
function isWaitedFor({ due }: State, activation: Date, now: Date): boolean {
  if (due === undefined) return false;
  const dueMs = Date.parse(due);
  if (dueMs > activation.getTime() + SLACK_MS) return false;
  return dueMs >= activation.getTime() || now.getTime() < dueMs - CLOCKS_MS;
}

/** Undefined when it is held by somebody else for long, or the app's storage cannot say. */
function acquire(name: string, { leases, sleep }: ActivationServices): Promise<Lease | undefined> {
  return acquirePatiently(() => leases.acquire(name).catch(() => undefined), PATIENCE, sleep);
}

/** What cannot be saved costs a message that is one too many. */
async function save(lease: Lease | undefined, state: State): Promise<void> {
  await lease?.save(state).catch(() => {});
}
