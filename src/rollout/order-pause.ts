import type { RecordAudit } from '../audit/audit-trail.ts';
import type { AuditEntry } from '../audit/record.ts';
import { messageOf } from '../errors.ts';
import type { Keys } from '../keys/key-client.ts';
import { newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { KEY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import type { ControlStore } from './control-client.ts';
import {
  type ControlDeed,
  type ControlState,
  isOrdered,
  type Pause,
  standingPauses,
  withDeed,
  withPause,
  withResume,
} from './pause.ts';
import { recordOrders, tellLost, tellOrder } from './record-orders.ts';
import type { StandingControl } from './standing-control.ts';

/** Who orders it, and why. */
export interface ControlOrder {
  readonly caller: NonNullable<AuditEntry['caller']>;
  readonly correlationId: string;
  readonly reason: string;
  readonly ticket?: string | undefined;
  /** Key identifier without a version; absent: all keys. */
  readonly key?: string | undefined;
}

export interface ControlPorts {
  readonly controlStore: ControlStore;
  readonly control: Pick<StandingControl, 'learn'>;
  readonly settings: { readonly vaults: Pick<ManagedVaults, 'key'> };
  readonly keys: Pick<Keys, 'listVersions'>;
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly audit: RecordAudit;
  readonly newId: () => string;
  readonly now: () => Date;
}

/** What an order has come to. */
export interface Ordered {
  /** Every pause that stands now. */
  readonly pauses: readonly Pause[];
  /** Pauses that the order has ended, or taken the place of. */
  readonly ended: readonly Pause[];
  /** `written`, or why the audit trail could not be written; the order holds all the same. */
  readonly audit: string;
  readonly warnings: readonly string[];
}

/** Has every move, and every rotation by the app, wait. @throws the SDK's error when it cannot be kept: nothing is paused */
export async function orderPause(
  order: ControlOrder & { readonly until?: Date | undefined },
  ports: ControlPorts,
  log: Log,
): Promise<Ordered> {
  const { key, reason } = order;
  const now = ports.now();
  const until = order.until?.toISOString();
  const pause: Pause = {
    id: ports.newId(),
    ...(key ? { key } : {}),
    reason,
    by: byOf(order),
    since: now.toISOString(),
    ...(until ? { until } : {}),
  };
  const deed = { id: pause.id, reason: 'Paused', ...saidIn(order), until } as const;
  const { record, ...kept } = await keep(deed, now, (state) => withPause(state, pause, now), ports, log);
  return { ...kept, audit: await record() };
}

/**
 * Ends a pause; with a key, what its rotation is held for is overruled as well, and the key is looked at at once.
 *
 * @throws the SDK's error when it cannot be kept: everything stays paused
 */
export async function orderResume(order: ControlOrder, ports: ControlPorts, log: Log): Promise<Ordered> {
  const now = ports.now();
  const { key, reason } = order;
  const id = ports.newId();
  const version = key && (await versionOf(key, ports));
  const about = { ...(key ? { key } : {}), ...(version ? { version } : {}) };
  const going = { id, ...about, reason, by: byOf(order), at: now.toISOString() };
  const deed = { id, reason: 'Resumed', ...saidIn(order) } as const;
  const { record, warnings, ...kept } = await keep(deed, now, (state) => withResume(state, going), ports, log);
  const unsent: string[] = [];
  if (key) {
    const cause = { by: 'operator', ref: order.correlationId.slice(0, 200), since: now.toISOString() };
    try {
      await ports.queue.send(KEY_WORK, { kind: 'key', key, cause, attempt: 0 });
    } catch (error) {
      const why = messageOf(error).split('\n')[0];
      unsent.push(`The key is not looked at at once; what waits goes on by itself within a minute or two (${why}).`);
    }
  }
  return { ...kept, warnings: [...warnings, ...unsent], audit: await record() };
}

/** Writes an order, with what is to be recorded of it: should this process die before that, somebody else does. */
async function keep(
  { id, ...said }: Omit<ControlDeed, 'on' | 'ended'>,
  now: Date,
  change: (state: ControlState) => ControlState,
  ports: ControlPorts,
  log: Log,
): Promise<Omit<Ordered, 'audit'> & { readonly record: () => Promise<string> }> {
  let ended: readonly Pause[] = [];
  let lost: readonly ControlDeed[] = [];
  let deed: ControlDeed = { id, ...said, on: now.toISOString(), ended: [] };
  const state = await ports.controlStore.update((current) => {
    if (isOrdered(current, id)) return current;
    const changed = change(current);
    ended = missing(standingPauses(current, now), standingPauses(changed, now));
    deed = { ...deed, ended: ended.map((pause) => pause.id) };
    const noted = withDeed(changed, deed);
    lost = noted.lost;
    return noted.state;
  });
  ports.control.learn(state);
  tellOrder(deed, log);
  tellLost(lost, log);
  const names = lost.map(({ reason, on, caller, id }) => `${reason} ${on} by ${caller.objectId} (${id})`).join(', ');
  return {
    pauses: standingPauses(state, now),
    ended,
    warnings: names
      ? [`Not known to be in the audit trail, and kept for it no longer, as too many wait: ${names}.`]
      : [],
    record: () => recordOrders(deed, state, ports, log),
  };
}

/** The version that everything moves onto now; undefined: there is none, or it cannot be read. */
async function versionOf(id: string, { settings, keys, now }: ControlPorts): Promise<string | undefined> {
  const key = settings.vaults.key(id);
  const versions = key && (await keys.listVersions(key).catch(() => []));
  return versions && newestUsableVersion(versions, now())?.version;
}

function byOf({ caller: { objectId, name } }: ControlOrder): Pause['by'] {
  return { objectId, ...(name ? { name } : {}) };
}

function missing(before: readonly Pause[], after: readonly Pause[]): Pause[] {
  return before.filter(({ id }) => !after.some((pause) => pause.id === id));
}

function saidIn({ caller, correlationId, reason: why, ticket, key }: ControlOrder) {
  return { caller, correlationId, key, why, ticket };
}
