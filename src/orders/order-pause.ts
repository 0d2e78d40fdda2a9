import { EVERY_KEY } from '../audit/record.ts';
import { describeError } from '../azure/failure.ts';
import type { Log } from '../errors/log.ts';
import type { Cause } from '../work/messages.ts';
import { changeOrders, type OrderCall, type OrderPorts } from './change-orders.ts';
import {
  findRekey,
  listOpenPauses,
  type PauseOrder,
  type ResumeOrder,
  type StandingOrders,
  toCaller,
  withPause,
  withResume,
} from './standing-orders.ts';

/**
 * A call that pauses or resumes moves. `key`: key identifier without a version; absent: all keys. `until`: end of a
 * pause; absent: an operator ends it.
 */
export type ControlOrder = OrderCall & { readonly key?: string | undefined; readonly until?: Date | undefined };

export interface ControlPorts extends OrderPorts {
  /** Returns the target version of a rollout that a failed stage holds, by key identifier or re-key order id. */
  readonly rollouts: { held(name: string): Promise<string | undefined> };
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
  /** Target versions of held rollouts whose gate the order opened. */
  readonly opened: readonly string[];
  /** `written`, or the error of the audit trail; the order applies in both cases. */
  readonly audit: string;
  readonly warnings: readonly string[];
}

/** Pauses all moves and all rotations by the app. @throws the SDK's error if the store rejects it: no pause applies */
export function orderPause(order: ControlOrder, ports: ControlPorts, log: Log): Promise<Ordered> {
  const { key, reason, caller, until } = order;
  const pause = { key, reason, by: toCaller(caller), until: until?.toISOString() };
  const apply: Change = (orders, id, now) => withPause(orders, { id, ...pause, since: now.toISOString() }, now);
  return keep('fleet.pause', order, apply, ports, log);
}

/**
 * Ends a pause. With a key, also opens the gate of the key's rollout, and of the re-key that moves its uses, if a failed
 * stage holds it: otherwise the stages protect the other uses as before.
 *
 * @throws the SDK's error if the store rejects it: the pause continues
 */
export async function orderResume(order: ControlOrder, ports: ControlPorts, log: Log): Promise<Ordered> {
  const { key, correlationId } = order;
  const now = ports.now();
  const warnings: string[] = [];
  const resumes = key ? await findHeld(key, ports, warnings) : [];
  const apply: Change = (orders) => withResume(orders, key, resumes, now);

  const kept = await keep('fleet.resume', order, apply, ports, log);

  const cause = { by: 'operator', ref: correlationId.slice(0, 200), since: now.toISOString() };
  try {
    await ports.requestKeys(key ? [key] : 'all', cause);
  } catch (error) {
    warnings.push(`Pending moves resume within two minutes, not at once (${describeError(error)}).`);
  }

  return { ...kept, warnings };
}

/**
 * Returns an order for each gate of a key that a failed stage holds: that of the key's rollout, and of its re-key.
 *
 * @param warnings receives what could not be read
 */
async function findHeld(
  key: string,
  { orderStore, rollouts, now }: ControlPorts,
  warnings: string[],
): Promise<readonly ResumeOrder[]> {
  const rekey = findRekey(await orderStore.read(), key)?.id;
  const at = now().toISOString();
  const resumes: ResumeOrder[] = [];

  try {
    const own = await rollouts.held(key);
    if (own) resumes.push({ at, target: own });

    const ordered = rekey && (await rollouts.held(rekey));
    if (ordered) resumes.push({ at, target: ordered, rekey });
  } catch (error) {
    const why = `the app failed to read the state of ${key}: ${describeError(error)}`;
    warnings.push(`A rotation that a failed canary or wave holds remains held, because ${why}`);
  }

  return resumes;
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
  const id = ports.newId();
  const now = ports.now();
  const reason = action === 'fleet.pause' ? 'Paused' : 'Resumed';
  const about = {
    id: `fleet.control/${id}`,
    action,
    reason,
    resource: key ?? EVERY_KEY,
    on: now.toISOString(),
  } as const;

  let ended: readonly PauseOrder[] = [];
  let opened: readonly string[] = [];
  const { orders, audit } = await changeOrders(
    (current) => {
      const changed = apply(current, id, now);
      const left = new Set(listOpenPauses(changed, now).map((pause) => pause.id));
      ended = listOpenPauses(current, now).filter((pause) => !left.has(pause.id));
      opened = changed.resumes.filter((resume) => !current.resumes.includes(resume)).map(({ target }) => target);

      const details = {
        why,
        ticket,
        until: until?.toISOString(),
        ended: ended.map((pause) => pause.id),
        ...(opened.length > 0 ? { opened } : {}),
      };

      return { orders: changed, records: [{ ...about, caller, correlationId, details }] };
    },
    ports,
    log,
  );

  return { pauses: listOpenPauses(orders, now), ended, opened, warnings: [], audit: await audit };
}
