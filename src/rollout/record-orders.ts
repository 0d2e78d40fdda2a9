import type { RecordAudit } from '../audit/audit-trail.ts';
import { type AuditEntry, EVERY_KEY } from '../audit/record.ts';
import { triedFor } from '../azure/deadline.ts';
import { CmkError } from '../errors.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { CONTROL_CONTAINER, type ControlStore } from './control-client.ts';
import type { ControlDeed, ControlState } from './pause.ts';

/** How long an answer waits for the audit trail, in milliseconds. */
const WAIT_MS = 5_000;
/** Nobody waits. Milliseconds. */
const LATER_WAIT_MS = 60_000;
/** For what is noted of what is on record; where it is not noted, it is recorded once more. Milliseconds. */
const NOTE_MS = 2_000;
/** Until then whoever ordered it records it, which proves more. Milliseconds. */
const OWN_MS = 60_000;

interface Ports {
  readonly controlStore: ControlStore;
  readonly audit: RecordAudit;
  readonly now: () => Date;
}

/**
 * Puts on record what was just ordered, and what earlier orders could not, as far as there is time. Never rejects.
 *
 * @returns `written`, or why the own order is not on record: then it stays in `unrecorded`
 */
export async function recordOrders(own: ControlDeed, state: ControlState, ports: Ports, log: Log): Promise<string> {
  const { recorded, failed } = await record([own, ...foundIn(state, ports.now())], WAIT_MS, ports, log, own.id);
  return failed !== undefined && !recorded.includes(own) ? failed : 'written';
}

/**
 * Puts on record what was ordered and is not known to be there, as whoever ordered it could not.
 *
 * @returns ids of what is on record now
 * @throws {@link CmkError} `AuditFailed` when something is left; the storage's errors
 */
export async function recordFoundOrders(ports: Ports, log: Log): Promise<readonly string[]> {
  const found = foundIn(await ports.controlStore.read(), ports.now());
  const { recorded, failed } = await record(found, LATER_WAIT_MS, ports, log);
  if (failed !== undefined) throw new CmkError('AuditFailed', failed, 'The next drift check tries again.');
  return recorded.map(({ id }) => id);
}

/** Has at least the log have it. */
export function tellLost(lost: readonly ControlDeed[], log: Log): void {
  for (const deed of lost) {
    log({ level: 'error', reason: 'AuditFailed', message: REASONS.AuditFailed, entry: entryOf(deed, FOUND) });
  }
}

export function tellOrder({ id: _, reason, on, caller, ...about }: ControlDeed, log: Log, more: object = {}): void {
  log({ level: 'warning', reason, message: REASONS[reason], caller: caller.objectId, on, ...about, ...more });
}

/** It is told as it was found in the storage, which proves less than a call. */
const FOUND = { foundIn: CONTROL_CONTAINER };

function foundIn({ unrecorded }: ControlState, now: Date): ControlDeed[] {
  return unrecorded.filter(({ on }) => now.getTime() - Date.parse(on) >= OWN_MS);
}

/** In turn, so that the trail has them as they were done; ends with the first that cannot be recorded. */
async function record(
  deeds: readonly ControlDeed[],
  ms: number,
  { controlStore, audit }: Ports,
  log: Log,
  own?: string,
): Promise<{ readonly recorded: readonly ControlDeed[]; readonly failed: string | undefined }> {
  const endMs = performance.now() + ms;
  const recorded: ControlDeed[] = [];
  let failed: string | undefined;
  for (const deed of deeds) {
    const outcome = await audit(entryOf(deed, deed.id === own ? {} : FOUND), Math.max(0, endMs - performance.now()));
    if ('failed' in outcome) {
      failed = outcome.failed;
      break;
    }
    recorded.push(deed);
  }
  const done = { recorded, failed };
  const ids = recorded.map(({ id }) => id);
  for (const deed of recorded) if (deed.id !== own) tellOrder(deed, log, FOUND);
  if (ids.length === 0) return done;
  const noting = controlStore.update((state) => ({
    ...state,
    unrecorded: state.unrecorded.filter(({ id }) => !ids.includes(id)),
  }));
  await triedFor(NOTE_MS, noting);
  return done;
}

function entryOf(deed: ControlDeed, more: object): AuditEntry {
  const { id, reason, key, caller, correlationId, ...details } = deed;
  return {
    id: `fleet.control/${id}`,
    action: reason === 'Paused' ? 'fleet.pause' : 'fleet.resume',
    reason,
    resource: key ?? EVERY_KEY,
    caller,
    correlationId,
    details: { ...details, ...more },
  };
}
