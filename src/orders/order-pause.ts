import { EVERY_KEY } from '../audit/record.ts';
import { errorText } from '../azure/failure.ts';
import type { Keys } from '../keys/key-client.ts';
import { newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedVaults } from '../keys/managed-vaults.ts';
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
  withPause,
  withResume,
} from './standing-orders.ts';

/**
 * A call that pauses or resumes moves. `key`: key identifier without a version; absent: all keys. `until`: end of a
 * pause; absent: an operator ends it.
 */
export type ControlOrder = OrderCall & { readonly key?: string | undefined; readonly until?: Date | undefined };

export interface ControlPorts extends OrderPorts {
  readonly settings: { readonly vaults: Pick<ManagedVaults, 'key'> };
  readonly keys: Pick<Keys, 'listVersions'>;
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
export function orderPause(order: ControlOrder, ports: ControlPorts, log: Log): Promise<Ordered> {
  const { key, reason, caller, until } = order;
  const pause = { key, reason, by: callerOf(caller), until: until?.toISOString() };
  const apply: Change = (orders, id, now) => withPause(orders, { id, ...pause, since: now.toISOString() }, now);
  return keep('fleet.pause', order, apply, ports, log);
}

/**
 * Ends a pause. With a key, also opens the gate of the key's rollout, and of the re-key that moves its uses.
 *
 * @throws the SDK's error if the store rejects it: the pause continues
 */
export async function orderResume(order: ControlOrder, ports: ControlPorts, log: Log): Promise<Ordered> {
  const { orderStore, settings, keys, requestKeys } = ports;
  const { key, correlationId } = order;
  const now = ports.now();
  const warnings: string[] = [];
  const goOns: GoOnOrder[] = [];
  const to = key && findRekey(await orderStore.read(), key)?.to;
  for (const name of [key, to]) {
    const gated = name && settings.vaults.key(name);
    if (!gated) continue;
    try {
      const target = newestUsableVersion(await keys.listVersions(gated), now)?.id;
      if (target) goOns.push({ at: now.toISOString(), target });
    } catch (error) {
      const why = `the app failed to read ${name}: ${errorText(error)}`;
      warnings.push(`The gate of the rotation remains closed, because ${why}`);
    }
  }
  const kept = await keep('fleet.resume', order, (orders) => withResume(orders, key, goOns, now), ports, log);
  const cause = { by: 'operator', ref: correlationId.slice(0, 200), since: now.toISOString() };
  try {
    await requestKeys(key ? [key] : 'all', cause);
  } catch (error) {
    warnings.push(`Pending moves resume within two minutes, not at once (${errorText(error)}).`);
  }
  return { ...kept, warnings };
}

/** Changes the orders. Called again after a conflict. @param id of the new order */
type Change = (orders: StandingOrders, id: string, now: Date) => StandingOrders;

/** Stores a pause or resume with its audit record. */
async function keep(
  action: 'fleet.pause' | 'fleet.resume',
  { caller, correlationId, key, until, reason: why, ticket }: ControlOrder,
  apply: Change,
  ports: ControlPorts,
  log: Log,
): Promise<Ordered> {
  const [id, now] = [ports.newId(), ports.now()];
  const reason = action === 'fleet.pause' ? 'Paused' : 'Resumed';
  const about = {
    id: `fleet.control/${id}`,
    action,
    reason,
    resource: key ?? EVERY_KEY,
    on: now.toISOString(),
  } as const;
  let ended: readonly PauseOrder[] = [];
  const { orders, audit } = await changeOrders(
    (current) => {
      const changed = apply(current, id, now);
      const left = new Set(openPauses(changed, now).map((pause) => pause.id));
      ended = openPauses(current, now).filter((pause) => !left.has(pause.id));
      const details = { why, ticket, until: until?.toISOString(), ended: ended.map((pause) => pause.id) };
      return { orders: changed, records: [{ ...about, caller, correlationId, details }] };
    },
    ports,
    log,
  );
  return { pauses: openPauses(orders, now), ended, warnings: [], audit: await audit };
}
