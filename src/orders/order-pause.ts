import { type AuditEntry, EVERY_KEY } from '../audit/record.ts';
import { messageOf } from '../errors.ts';
import { type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { Cause } from '../work/messages.ts';
import { changeOrders, type OrderPorts } from './change-orders.ts';
import {
  findRekey,
  type GoOnOrder,
  openPauses,
  type PauseOrder,
  type StandingOrders,
  type UnrecordedOrder,
  withPause,
  withResume,
} from './standing-orders.ts';

/** Caller and reason of an order. */
export interface ControlOrder {
  readonly caller: NonNullable<AuditEntry['caller']>;
  readonly correlationId: string;
  readonly reason: string;
  readonly ticket?: string | undefined;
  /** Key identifier without a version; absent: all keys. */
  readonly key?: string | undefined;
}

export interface ControlPorts extends OrderPorts {
  readonly settings: { readonly vaults: Pick<ManagedVaults, 'key'> };
  readonly keys: { listVersions(key: ManagedKey): Promise<readonly KeyVersion[]> };
  /** Requests a reconcile of some keys, or of all keys with a work item. */
  requestKeys(keys: readonly string[] | 'all', cause: Cause): Promise<void>;
  readonly newId: () => string;
}

/** Result of a pause or resume. */
export interface Ordered {
  /** Pauses that have not ended. */
  readonly pauses: readonly PauseOrder[];
  /** Pauses that the order ended or replaced. */
  readonly ended: readonly PauseOrder[];
  /** `written`, or the error of the audit trail; the order applies in both cases. */
  readonly audit: string;
  readonly warnings: readonly string[];
}

/** Pauses all moves and all rotations by the app. @throws the SDK's error if the store rejects it: no pause applies */
export async function orderPause(
  order: ControlOrder & { readonly until?: Date | undefined },
  ports: ControlPorts,
  log: Log,
): Promise<Ordered> {
  const { key, reason } = order;
  const now = ports.now();
  const until = order.until?.toISOString();
  const pause: PauseOrder = {
    ...{ id: ports.newId(), reason, by: byOf(order), since: now.toISOString() },
    ...(key ? { key } : {}),
    ...(until ? { until } : {}),
  };
  const change = changeOf(pause.id, 'Paused', order, now, until ? { until } : {});
  return keep(change, (orders) => withPause(orders, pause, now), ports, log);
}

/**
 * Ends a pause. With a key, also opens the gate of the key's rollout, and of the re-key that moves its uses.
 *
 * @throws the SDK's error if the store rejects it: the pause continues
 */
export async function orderResume(order: ControlOrder, ports: ControlPorts, log: Log): Promise<Ordered> {
  const now = ports.now();
  const { key, reason, correlationId } = order;
  const id = ports.newId();
  const warnings: string[] = [];
  const goOns: GoOnOrder[] = [];
  if (key) {
    const to = findRekey(await ports.orderStore.read(), key)?.to;
    for (const name of to ? [key, to] : [key]) {
      try {
        const target = await targetOf(name, ports);
        if (target) goOns.push({ id, key: name, reason, by: byOf(order), at: now.toISOString(), target });
      } catch (error) {
        warnings.push(
          `The gate of the rotation remains closed, because the app failed to read ${name}: ${firstLine(error)}`,
        );
      }
    }
  }
  const change = changeOf(id, 'Resumed', order, now, {});
  const kept = await keep(change, (orders) => withResume(orders, key, goOns, now), ports, log);
  const cause = { by: 'operator', ref: correlationId.slice(0, 200), since: now.toISOString() };
  try {
    await ports.requestKeys(key ? [key] : 'all', cause);
  } catch (error) {
    warnings.push(`Pending moves resume within two minutes, not at once (${firstLine(error)}).`);
  }
  return { ...kept, warnings };
}

function changeOf(
  id: string,
  reason: 'Paused' | 'Resumed',
  { caller, correlationId, key, reason: why, ticket }: ControlOrder,
  now: Date,
  more: object,
): UnrecordedOrder {
  return {
    ...{ id: `fleet.control/${id}`, action: reason === 'Paused' ? 'fleet.pause' : 'fleet.resume', reason },
    ...{ resource: key ?? EVERY_KEY, on: now.toISOString(), caller, correlationId },
    details: { why, ...(ticket ? { ticket } : {}), ...more },
  };
}

async function keep(
  change: UnrecordedOrder,
  apply: (orders: StandingOrders) => StandingOrders,
  ports: ControlPorts,
  log: Log,
): Promise<Ordered> {
  const now = ports.now();
  let ended: readonly PauseOrder[] = [];
  const { orders, records, audit } = await changeOrders((current) => {
    const changed = apply(current);
    const left = new Set(openPauses(changed, now).map(({ id }) => id));
    ended = openPauses(current, now).filter(({ id }) => !left.has(id));
    const details = { ...change.details, ended: ended.map(({ id }) => id) };
    return { orders: changed, records: [{ ...change, details }] };
  }, ports);
  for (const { reason, caller, correlationId, resource: key, details } of records) {
    const about = { caller: caller?.objectId, correlationId, key, ...details };
    log({ level: 'warning', reason, message: REASONS[reason], ...about });
  }
  return { pauses: openPauses(orders, now), ended, warnings: [], audit: await audit };
}

/** Returns the current target version of a key. */
async function targetOf(id: string, { settings, keys, now }: ControlPorts): Promise<string | undefined> {
  const key = settings.vaults.key(id);
  return key && newestUsableVersion(await keys.listVersions(key), now())?.id;
}

function byOf({ caller: { objectId, name } }: ControlOrder): PauseOrder['by'] {
  return { objectId, ...(name ? { name } : {}) };
}

function firstLine(error: unknown): string | undefined {
  return messageOf(error).split('\n')[0];
}
