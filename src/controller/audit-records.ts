import pMap from 'p-map';
import { AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import { CONTROL_TABLE, FLEET_TABLE } from '../index/fleet-table-client.ts';
import type { RolloutNews } from '../index/rollout-row.ts';
import { isSameKeyName } from '../keys/key-identifier.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Cause } from '../work/messages.ts';
import type { RolloutDecision } from './decide-rollout.ts';
import { getKeyOfVersion } from './observe.ts';
import type { Move } from './use-result.ts';

/**
 * Appends an audit record for each move. Never throws.
 *
 * @returns ids of the moves that the trail has recorded
 */
export async function recordMoves(
  moves: readonly { readonly move: Move; readonly cause: Cause }[],
  audit: RecordAudit,
): Promise<ReadonlySet<string>> {
  const written = await pMap(moves, async ({ move, cause }) => {
    const { id, reason, account, scope, key, from, to, mode, provenBy, movedOn, rekey } = move;
    const toKey = getKeyOfVersion(to);
    const isOtherKey = !isSameKeyName(toKey, key);
    const entry = {
      id,
      action: isOtherKey ? 'account.rekey' : 'account.move',
      reason,
      resource: account,
      details: {
        ...(scope === undefined ? {} : { scope }),
        key,
        ...(isOtherKey ? { toKey, rekey } : {}),
        from,
        to,
        mode,
        cause,
        // Rows of the work zone attribute the move. A record from the PATCH's own answer is stronger evidence.
        ...(provenBy ? { provenBy, movedOn, foundIn: FLEET_TABLE } : {}),
      },
    };

    return 'written' in (await audit(entry, AUDIT_WAIT_MS)) ? id : '';
  });

  return new Set(written);
}

/** Appends a rollout's event to the audit trail and logs it for alerts. Never throws: the trail retries. */
export async function recordRollout(
  news: RolloutNews,
  key: ManagedKey,
  target: KeyVersion,
  { row, counts }: Pick<RolloutDecision, 'row' | 'counts'>,
  { audit, log }: { readonly audit: RecordAudit; readonly log: Log },
): Promise<void> {
  const { version } = target;
  const startedMs = Math.max(target.createdOn.getTime(), target.notBefore?.getTime() ?? 0);
  const { progressOn, failing } = row;
  const { moved, waiting, failed, left } = counts;
  const about = {
    key: key.id,
    version,
    progressOn,
    moved,
    waiting,
    failed,
    left,
    stage: row.stage,
    startedOn: new Date(startedMs).toISOString(),
  };

  const why = failing ? `Canaries that failed the probe: ${failing}.` : undefined;
  const numbers = `${moved} moved, ${waiting} waiting, ${failed} failed, ${left} left to Storage.`;
  const seconds = { seconds: (Date.parse(progressOn) - startedMs) / 1000 };

  log({
    level: news === 'RotationFinished' ? 'info' : 'error',
    reason: news,
    message: [REASONS[news], numbers, why].filter(Boolean).join(' '),
    ...about,
    ...(news === 'RotationFinished' ? seconds : {}),
  });

  const entry = {
    id: `rotation/${news}/${key.id}/${version}`,
    action: 'key.rotation',
    reason: news,
    resource: key.id,
    details: { ...about, ...(why ? { why } : {}), foundIn: CONTROL_TABLE },
  };

  await audit(entry, AUDIT_WAIT_MS);
}
