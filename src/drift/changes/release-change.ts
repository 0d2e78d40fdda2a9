import { parseStorageAccountId } from '../../azure/resource-id.ts';
import type { Log } from '../../errors/log.ts';
import type { WorkItems } from '../../index/work-items.ts';
import { changeOrders, type OrderPorts } from '../../orders/change-orders.ts';
import type { ControlOrder } from '../../orders/order-pause.ts';
import { findContest, type UnrecordedOrder, withoutContest } from '../../orders/standing-orders.ts';
import { type PutWorkPorts, putWork } from '../apply/put-work.ts';
import { type ChangeRows, requestChanges } from './change-rows.ts';

/** Operation in the row of a release. */
export const RELEASE = 'drift.release';

type ReleasePorts = OrderPorts &
  PutWorkPorts &
  Parameters<typeof requestChanges>[0] & {
    readonly changes: Pick<ChangeRows, 'put'>;
    readonly newId: () => string;
    readonly workItems: Pick<WorkItems, 'of' | 'put'>;
  };

/**
 * Resumes repairs of a contested account, which another party kept changing. Idempotent.
 *
 * @returns undefined if the account is not contested; `audit`: `written`, or why the app could not write the audit
 * trail
 * @throws the SDK's error if the release cannot be stored; then nothing is released
 */
export async function releaseChange(
  { account, ...order }: ControlOrder & { readonly account: string },
  ports: ReleasePorts,
  log: Log,
): Promise<{ readonly account: string; readonly audit: string } | undefined> {
  const { caller, correlationId, reason, ticket } = order;
  const now = ports.now();
  const on = now.toISOString();
  const about = { action: RELEASE, reason: 'ChangeReleased', resource: account, on, caller, correlationId } as const;
  const release: UnrecordedOrder = { id: `${RELEASE}/${ports.newId()}`, ...about, details: { why: reason, ticket } };
  const { records, audit } = await changeOrders(
    (current) =>
      findContest(current.contests, account, now)
        ? { orders: withoutContest(current, account), records: [release] }
        : undefined,
    ports,
    log,
  );
  if (records.length === 0) return undefined;

  const cause = { by: 'drift', ref: release.id, since: on };
  const subscription = parseStorageAccountId(account)?.subscriptionId;
  if (subscription) await resumePostponed(subscription.toLowerCase(), now, ports);
  if (subscription) await putWork([{ subscription, kind: 'account', about: account }], cause, ports);

  const changedBy = {
    objectId: caller.objectId,
    on,
    operation: RELEASE,
    resource: account,
    confirmed: true,
    ...(caller.name ? { name: caller.name } : {}),
  };

  const row = { id: release.id, concern: 'account', at: account, changedBy } as const;

  await ports.changes.put([{ ...row, notedOn: on }]);
  await requestChanges(ports, cause, 1);

  return { account, audit: await audit };
}

/** Makes work due that was postponed for a contest. `putWork` would keep an item of a key as it is. */
async function resumePostponed(subscription: string, due: Date, { workItems }: ReleasePorts): Promise<void> {
  const postponed = (await workItems.of(subscription)).filter(({ reason }) => reason === 'ContestedChange');
  await workItems.put(postponed.map(({ etag: _, attempts: __, reason: ___, ...item }) => ({ ...item, due })));
}
