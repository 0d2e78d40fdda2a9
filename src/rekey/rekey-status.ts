import { z } from 'zod';
import { CmkError } from '../errors.ts';
import { inManagedSubscriptions } from '../fleet/fleet-keys.ts';
import { type MovedUses, nameOfUse, namesOf } from '../fleet/moved-uses.ts';
import { failedOn } from '../fleet/reconcile-use.ts';
import type { UseRow, UseRows } from '../fleet/use-row.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import { vaultOption } from '../keys/vault-options.ts';
import { findPause, isMoving, isOpen, REKEY, type Rekey, type StandingOrders } from '../orders/standing-orders.ts';
import { REASONS } from '../reasons.ts';
import { type Blocker, findBlocker } from './blocker.ts';
import { excludedUses } from './rekey-problems.ts';

/** Failures that are listed. */
const MOST_LISTED = 100;

const order = REKEY.extend({
  waits: z
    .object({ reason: z.string(), detail: z.string() })
    .optional()
    .describe('Why nothing moves, or it is not done.'),
});

const failure = z.object({
  account: z.string(),
  scope: z.string().optional(),
  reason: z.string(),
  detail: z.string(),
  at: z.iso.datetime(),
});

/** How far an order is: accounts and encryption scopes, each counted once. */
const progress = z.object({
  moved: z.int().describe('Accounts and scopes on the target key by this order.'),
  waiting: z.int().describe('Known to be on the source key, and not failed.'),
  failed: z.int(),
  left: z.int().describe('Moved, and not on the target key any more: put elsewhere by others, or deleted.'),
  failures: z.array(failure).describe('At most 100.'),
  incomplete: z.boolean().describe('The fleet index cannot be read: more may be waiting.'),
  toDo: z.array(z.string()).describe('What is left to a person.'),
});

export const REKEY_STATUS = z.object({ order, progress });
export type RekeyStatus = z.output<typeof REKEY_STATUS>;
type RekeyProgress = z.output<typeof progress>;
type RekeyFailure = z.output<typeof failure>;

export interface StatusPorts {
  readonly moved: Pick<MovedUses, 'of'>;
  readonly useRows: Pick<UseRows, 'of'>;
  /** Ids of the subscriptions that the app manages; undefined: not known. */
  readonly inSight: () => Promise<readonly string[] | undefined>;
  readonly keys: { listVersions(key: ManagedKey): Promise<readonly KeyVersion[]> };
  readonly vaults: Pick<ManagedVaults, 'key'>;
  readonly now: () => Date;
}

export async function rekeyStatus(rekey: Rekey, orders: StandingOrders, ports: StatusPorts): Promise<RekeyStatus> {
  const waits = await waitsFor(rekey, orders, ports);
  const order = waits ? { ...rekey, waits } : rekey;
  return { order, progress: await progressOf(order, ports) };
}

/** Why an active order moves nothing now, or is not done. */
async function waitsFor(
  rekey: Rekey,
  orders: StandingOrders,
  { keys, vaults, now }: StatusPorts,
): Promise<Blocker | undefined> {
  if (!isMoving(rekey)) return undefined;
  const pause = findPause(orders, rekey.from, now()) ?? findPause(orders, rekey.to, now());
  if (pause) return { reason: 'Paused', detail: `Moves are paused since ${pause.since}: ${pause.reason}` };
  const [from, to] = [vaults.key(rekey.from), vaults.key(rekey.to)];
  if (!from || !to)
    return { reason: 'VaultNotManaged', detail: 'The vault of a key is not one of CMK_VAULTS any more.' };
  const blocker = await findBlocker(from, to, { keys, now });
  const { gaps = [] } = rekey.verified ?? {};
  const isVerifying = rekey.state === 'verifying' && gaps.length > 0;
  if (blocker) return { reason: blocker.reason, detail: blocker.detail };
  return isVerifying ? { reason: 'RekeyUnverified', detail: gaps.join(' ') } : undefined;
}

async function progressOf(
  order: RekeyStatus['order'],
  { moved, useRows, inSight }: StatusPorts,
): Promise<RekeyProgress> {
  const { id, from, to, only } = order;
  const covered = only === undefined ? undefined : await namesOf(moved.of(only));
  const own = new Set(await namesOf(moved.of(id)));
  const excluded: string[] = [];
  const isManaged = inManagedSubscriptions(await inSight());
  let waiting = 0;
  let incomplete = false;
  const failures: RekeyFailure[] = [];
  const onTarget = new Set<string>();
  try {
    for await (const row of useRows.of(from)) {
      const name = nameOfUse(row);
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
    for await (const row of useRows.of(to)) if (own.has(nameOfUse(row))) onTarget.add(nameOfUse(row));
  } catch {
    incomplete = true;
  }
  const counts = incomplete ? { moved: own.size, left: 0 } : { moved: onTarget.size, left: own.size - onTarget.size };
  const toDo = [...toDoOf(order, failures.length), ...(only === undefined ? excludedUses(excluded) : [])];
  return {
    ...counts,
    ...{ waiting, failed: failures.length, failures: failures.slice(0, MOST_LISTED), incomplete, toDo },
  };
}

/** Undefined: the use has not failed since the order was started or resumed. */
function failureOf(row: UseRow, { startedOn, resumedOn = startedOn }: Rekey): RekeyFailure | undefined {
  const at = failedOn(row);
  if (!at || at < new Date(resumedOn)) return undefined;
  const { account, scope, reason = 'Unexpected' } = row;
  return { account, ...(scope ? { scope } : {}), reason, detail: REASONS[reason], at: at.toISOString() };
}

/** What is left to an operator. */
function toDoOf({ id, from, only, state, waits, verified }: RekeyStatus['order'], failed: number): string[] {
  const key = parseKeyIdentifier(from);
  const old = key ? `${key.keyName} ${vaultOption({ kind: key.kind, name: key.vaultName })}` : from;
  if (state === 'done' && only === undefined) {
    return [
      `See what else uses the old key, of other types than storage accounts: cmk key show ${old}`,
      'Storage accounts that were deleted and may be recovered, snapshots and backups are out of sight, and may need the old key.',
      `Then disable it, in a way that can be taken back: cmk key revoke ${old}. Delete it no earlier than everything that was made with it has expired.`,
    ];
  }
  return [
    ...(failed > 0 && state !== 'ended' ? ['See to what the failures say.'] : []),
    ...(state === 'paused' || state === 'stopped' ? [`Resume it: cmk rekey resume ${id}`] : []),
    ...(waits && waits.reason !== 'RekeyUnverified' ? [`It waits: ${waits.detail}`] : []),
    ...(state === 'verifying' ? (verified?.gaps ?? []) : []),
  ];
}

/** @throws {@link CmkError} the reason why nothing may move back to the source key now */
export async function requireRollback(rekey: Rekey, { keys, vaults, now }: StatusPorts): Promise<void> {
  const [from, to] = [vaults.key(rekey.to), vaults.key(rekey.from)];
  if (!from || !to)
    throw new CmkError('VaultNotManaged', REASONS.VaultNotManaged, 'Add its vault to CMK_VAULTS again.');
  const blocker = await findBlocker(from, to, { keys, now });
  if (!blocker) return;
  const nextStep =
    'See to it that both keys can be read and used, and that neither is revoked; or end the re-key as it is.';
  throw new CmkError(blocker.reason, blocker.detail, nextStep);
}
