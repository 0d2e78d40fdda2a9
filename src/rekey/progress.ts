import type { InSight } from '../accounts/in-sight.ts';
import type { FleetIndex } from '../fleet/fleet-index.ts';
import { countsAsFailed, type RekeyOrder, type RekeyStore, type RekeySubject } from '../fleet/rekey-order.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { vaultOption } from '../keys/vault-options.ts';
import type { Reason } from '../reasons.ts';
import { LeftOut } from './left-out.ts';

/** Failures that are told one by one. */
const MOST_TOLD = 100;

export interface RekeyFailure {
  readonly account: string;
  readonly scope?: string;
  readonly reason: Reason;
  readonly detail: string;
  readonly at: string;
}

/** How far an order is: accounts and encryption scopes, each counted once. */
export interface RekeyProgress {
  /** On the new key by this order; or back on the old one, when it is taken back. */
  readonly moved: number;
  /** Known to be on the key that they are to leave, where the app looks after them, and not failed. */
  readonly waiting: number;
  readonly failed: number;
  /** Put onto a third key by people. */
  readonly left: number;
  readonly gone: number;
  readonly failures: readonly RekeyFailure[];
  /** Whether `waiting` may be too small: the fleet index cannot be read. */
  readonly incomplete: boolean;
  /** What a person has left to do, one sentence each. */
  readonly toDo: readonly string[];
}

export interface ProgressServices {
  readonly rekeys: Pick<RekeyStore, 'subjects'>;
  readonly fleet: Pick<FleetIndex, 'uses'>;
  readonly inSight: InSight;
}

/** Reads how far an order is: what it has done, and who still uses the key that everything is to leave. */
export async function progressOf(
  order: RekeyOrder,
  { rekeys, fleet, inSight }: ProgressServices,
): Promise<RekeyProgress> {
  const back = order.state === 'takingBack' || order.state === 'takenBack';
  const waiting = new Set<string>();
  const counts = { moved: 0, left: 0, gone: 0 };
  const failures: RekeyFailure[] = [];
  const failed = new Set<string>();
  const leftOut = new LeftOut(back ? undefined : await inSight());
  for await (const subject of rekeys.subjects(order.id)) {
    const { account, scope, state, failure } = subject;
    const isArrived = state === (back ? 'back' : 'moved');
    if (failure && countsAsFailed(failure, order)) {
      if (leftOut.has(subject)) continue;
      failed.add(nameOf(subject));
      const { since: _, ...told } = failure;
      failures.push({ account, ...(scope ? { scope } : {}), ...told });
    } else if (isArrived) counts.moved += 1;
    else if (state === 'left' || state === 'gone') counts[state] += 1;
    else if (back) waiting.add(nameOf(subject));
  }
  const known = back || order.state === 'done' ? true : await addUses(order.from, { waiting, failed, leftOut }, fleet);
  const told = failures.slice(0, MOST_TOLD);
  const toDo = [...toDoOf(order, failed.size, counts.gone), ...leftOut.sentences()];
  return { ...counts, waiting: waiting.size, failed: failed.size, failures: told, incomplete: !known, toDo };
}

interface Uses {
  readonly waiting: Set<string>;
  readonly failed: ReadonlySet<string>;
  readonly leftOut: LeftOut;
}

/** False: they are not known. */
async function addUses(
  key: string,
  { waiting, failed, leftOut }: Uses,
  fleet: Pick<FleetIndex, 'uses'>,
): Promise<boolean> {
  try {
    for await (const use of fleet.uses(key)) {
      const name = nameOf(use);
      if (!leftOut.takes(use) && !failed.has(name)) waiting.add(name);
    }
    return true;
  } catch {
    return false;
  }
}

function nameOf({ account, scope = '' }: Pick<RekeySubject, 'account' | 'scope'>): string {
  return `${account} ${scope}`.toLowerCase();
}

/** What the app does not do by itself. */
function toDoOf(order: RekeyOrder, failed: number, gone: number): string[] {
  const { id, from, state, paused, waits, verified } = order;
  const key = parseKeyIdentifier(from);
  const old = key ? `${key.keyName} ${vaultOption({ kind: key.kind, name: key.vaultName })}` : from;
  if (state === 'done') {
    return [
      `See what else uses the old key, of other types than storage accounts: cmk key status ${old}`,
      ...(verified?.gaps ?? []),
      'Storage accounts that were deleted and may be recovered, snapshots and backups are out of sight, and may need the old key.',
      `Then disable it, in a way that can be taken back: cmk key revoke ${old}. Delete it no earlier than everything that was made with it has expired.`,
    ];
  }
  if (state === 'takenBack' && gone > 0) {
    const they = gone === 1 ? '1 account or scope was' : `${gone} accounts and scopes were`;
    return [`${they} not found any more; one that was moved to another subscription is still on the new key.`];
  }
  if (state !== 'moving' && state !== 'takingBack') return [];
  return [
    ...(failed > 0 ? ['Mend what the failures say.'] : []),
    ...(paused ? [`Resume it: cmk rekey resume ${id}`] : []),
    // What is not verified is told by the gaps.
    ...(waits && waits.reason !== 'RekeyUnverified' ? [`It waits: ${waits.detail}`] : []),
    // What was sent since that look may have mended it.
    ...(waits?.reason === 'RekeyUnderWay' ? [] : (verified?.gaps ?? [])),
  ];
}
