import { EVERY_KEY } from '../audit/record.ts';
import { messageOf } from '../errors.ts';
import { type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import type { Cause } from '../work/messages.ts';
import { changeOrders, type OrderCall, type OrderPorts } from './change-orders.ts';
import {
  callerOf,
  findRekey,
  type GoOnOrder,
  openPauses,
  type PauseOrder,
  type StandingOrders,
  type UnrecordedOrder,
  withPause,
  withResume,
} from './standing-orders.ts';

/** A call that pauses or resumes moves. `key`: key identifier without a version; absent: all keys. */
export type ControlOrder = OrderCall & { readonly key?: string | undefined };

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
export function orderPause(
  order: ControlOrder & { readonly until?: Date | undefined },
  ports: ControlPorts,
  log: Log,
): Promise<Ordered> {
  const { key, reason } = order;
  const [id, now, until] = [ports.newId(), ports.now(), order.until?.toISOString()];
  const pause: PauseOrder = { id, key, reason, by: callerOf(order.caller), since: now.toISOString(), until };
  const change = { id: `fleet.control/${id}`, action: 'fleet.pause', reason: 'Paused' } as const;
  return keep({ ...change, until }, order, (orders) => withPause(orders, pause, now), ports, log);
}

/**
 * Ends a pause. With a key, also opens the gate of the key's rollout, and of the re-key that moves its uses.
 *
 * @throws the SDK's error if the store rejects it: the pause continues
 */
export async function orderResume(order: ControlOrder, ports: ControlPorts, log: Log): Promise<Ordered> {
  const now = ports.now();
  const { key, correlationId } = order;
  const warnings: string[] = [];
  const goOns: GoOnOrder[] = [];
  const to = key && findRekey(await ports.orderStore.read(), key)?.to;
  for (const name of [key, to]) {
    try {
      const target = name && (await targetOf(name, ports));
      if (target) goOns.push({ at: now.toISOString(), target });
    } catch (error) {
      warnings.push(
        `The gate of the rotation remains closed, because the app failed to read ${name}: ${firstLine(error)}`,
      );
    }
  }
  const change = { id: `fleet.control/${ports.newId()}`, action: 'fleet.resume', reason: 'Resumed' } as const;
  const kept = await keep(change, order, (orders) => withResume(orders, key, goOns, now), ports, log);
  const cause = { by: 'operator', ref: correlationId.slice(0, 200), since: now.toISOString() };
  try {
    await ports.requestKeys(key ? [key] : 'all', cause);
  } catch (error) {
    warnings.push(`Pending moves resume within two minutes, not at once (${firstLine(error)}).`);
  }
  return { ...kept, warnings };
}

/** Stores a pause or resume with its audit record. `apply` may be called again, after a conflict. */
async function keep(
  { until, ...change }: Pick<UnrecordedOrder, 'id' | 'action' | 'reason'> & { readonly until?: string | undefined },
  { caller, correlationId, key, reason: why, ticket }: ControlOrder,
  apply: (orders: StandingOrders) => StandingOrders,
  ports: ControlPorts,
  log: Log,
): Promise<Ordered> {
  const now = ports.now();
  const about = { resource: key ?? EVERY_KEY, on: now.toISOString(), caller, correlationId };
  let ended: readonly PauseOrder[] = [];
  const { orders, audit } = await changeOrders(
    (current) => {
      const changed = apply(current);
      const left = new Set(openPauses(changed, now).map(({ id }) => id));
      ended = openPauses(current, now).filter(({ id }) => !left.has(id));
      const details = { why, ticket, until, ended: ended.map(({ id }) => id) };
      return { orders: changed, records: [{ ...change, ...about, details }] };
    },
    ports,
    log,
  );
  return { pauses: openPauses(orders, now), ended, warnings: [], audit: await audit };
}

/** Returns the current target version of a key. */
async function targetOf(id: string, { settings, keys, now }: ControlPorts): Promise<string | undefined> {
  const key = settings.vaults.key(id);
  return key && newestUsableVersion(await keys.listVersions(key), now())?.id;
}

function firstLine(error: unknown): string | undefined {
  return messageOf(error).split('\n')[0];
}
