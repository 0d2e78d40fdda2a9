import { z } from 'zod';
import type { InSight } from '../accounts/in-sight.ts';
import { type BlockerPorts, findBlocker } from '../controller/check-rekey.ts';
import { collectNames, formatNameOfUse, type MovedUses } from '../controller/moved-uses.ts';
import { hasFailedSince } from '../controller/reconcile-rekey.ts';
import { describeExcludedUses } from '../controller/rekey-problems.ts';
import { getFailedOn } from '../controller/use-result.ts';
import { REASONS } from '../errors/reasons.ts';
import { selectManagedUses } from '../index/fleet-keys.ts';
import type { UseRow, UseRows } from '../index/use-row.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { formatVaultOption } from '../keys/vault-options.ts';
import { findPause, isMoving, isOpen, REKEY, type Rekey, type StandingOrders } from '../orders/standing-orders.ts';

/** Maximum number of failures in a report. */
const MOST_LISTED = 100;

const order = REKEY.extend({
  waits: z
    .object({ reason: z.string(), detail: z.string() })
    .optional()
    .describe('Why the order moves no use, or is not done.'),
});

const failure = z.object({
  account: z.string(),
  scope: z.string().optional(),
  reason: z.string(),
  detail: z.string(),
  at: z.iso.datetime(),
});

/** Progress of an order: accounts and encryption scopes, each counted once. */
const progress = z.object({
  moved: z.int().describe('Accounts and scopes that this order moved to the target key.'),
  waiting: z.int().describe('Accounts and scopes on the source key, without a failure.'),
  failed: z.int(),
  left: z
    .int()
    .describe('Moved accounts and scopes that later left the target key: changed by another actor, or deleted.'),
  failures: z.array(failure).describe('At most 100 failures.'),
  incomplete: z.boolean().describe('The app cannot read the fleet index: more uses may be waiting.'),
  toDo: z.array(z.string()).describe('Next steps for an operator.'),
});

export const REKEY_STATUS = z.object({ order, progress });
export type RekeyStatus = z.output<typeof REKEY_STATUS>;
type RekeyProgress = z.output<typeof progress>;
type RekeyFailure = z.output<typeof failure>;

interface StatusPorts extends BlockerPorts {
  readonly moved: Pick<MovedUses, 'of'>;
  readonly useRows: Pick<UseRows, 'of'>;
  readonly inSight: InSight;
}

export async function readRekeyStatus(rekey: Rekey, orders: StandingOrders, ports: StatusPorts): Promise<RekeyStatus> {
  const waits = await waitsFor(rekey, orders, ports);
  const order = waits ? { ...rekey, waits } : rekey;
  return { order, progress: await progressOf(order, ports) };
}

/** Returns why an active order moves no use now, or is not done. */
async function waitsFor(
  rekey: Rekey,
  orders: StandingOrders,
  ports: StatusPorts,
): Promise<RekeyStatus['order']['waits']> {
  if (!isMoving(rekey)) return undefined;

  const now = ports.now();
  const pause = findPause(orders, rekey.from, now) ?? findPause(orders, rekey.to, now);
  if (pause) return { reason: 'Paused', detail: `Moves are paused since ${pause.since}: ${pause.reason}` };

  const blocker = await findBlocker(rekey, ports);
  if (blocker) return { reason: blocker.reason, detail: blocker.detail };

  const { gaps = [] } = rekey.state === 'verifying' ? (rekey.verified ?? {}) : {};

  return gaps.length > 0 ? { reason: 'RekeyUnverified', detail: gaps.join(' ') } : undefined;
}

async function progressOf(
  order: RekeyStatus['order'],
  { moved, useRows, inSight }: StatusPorts,
): Promise<RekeyProgress> {
  const { id, from, to, only } = order;
  const covered = only === undefined ? undefined : await collectNames(moved.of(only));
  const own = new Set(await collectNames(moved.of(id)));
  const excluded: string[] = [];
  const isManaged = selectManagedUses(await inSight());
  let waiting = 0;
  let incomplete = false;
  const failures: RekeyFailure[] = [];
  const onTarget = new Set<string>();
  try {
    for await (const row of useRows.of(from)) {
      const name = formatNameOfUse(row);
      if (covered?.has(name) === false || !isOpen(order)) continue;

      if (!isManaged(row)) {
        excluded.push(row.account);
        continue;
      }

      own.delete(name);

      const failure = failureOf(row, order);
      if (failure) failures.push(failure);
      else waiting += 1;
    }

    for await (const row of useRows.of(to)) {
      if (own.has(formatNameOfUse(row))) onTarget.add(formatNameOfUse(row));
    }
  } catch {
    incomplete = true;
  }

  const counts = incomplete ? { moved: own.size, left: 0 } : { moved: onTarget.size, left: own.size - onTarget.size };
  const toDo = [...toDoOf(order, failures.length), ...(only === undefined ? describeExcludedUses(excluded) : [])];

  return {
    ...counts,
    waiting,
    failed: failures.length,
    failures: failures.slice(0, MOST_LISTED),
    incomplete,
    toDo,
  };
}

/** Returns undefined if the use has not failed since the order's start or last resume. */
function failureOf(row: UseRow, order: Rekey): RekeyFailure | undefined {
  const at = getFailedOn(row);
  if (!at || !hasFailedSince(row, order)) return undefined;
  const { account, scope, reason = 'Unexpected' } = row;
  return { account, ...(scope ? { scope } : {}), reason, detail: REASONS[reason], at: at.toISOString() };
}

/** Returns the next steps for an operator. */
function toDoOf({ id, from, only, state, waits, verified }: RekeyStatus['order'], failed: number): string[] {
  const key = parseKeyIdentifier(from);
  const old = key ? `${key.keyName} ${formatVaultOption({ kind: key.kind, name: key.vaultName })}` : from;

  if (state === 'done' && only === undefined) {
    return [
      `List other resources that use the old key, such as disks: cmk key show ${old}`,
      'The app does not see deleted storage accounts, snapshots and backups: they may still need the old key.',
      `Then disable the old key reversibly: cmk key revoke ${old}. Delete it only after all backups that need it have expired.`,
    ];
  }

  return [
    ...(failed > 0 && state !== 'ended' ? ['Fix the causes of the failures.'] : []),
    ...(state === 'paused' || state === 'stopped' ? [`Resume it: cmk rekey resume ${id}`] : []),
    ...(waits && waits.reason !== 'RekeyUnverified' ? [`The order waits: ${waits.detail}`] : []),
    ...(state === 'verifying' ? (verified?.gaps ?? []) : []),
  ];
}
