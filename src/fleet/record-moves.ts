import pMap from 'p-map';
import { AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import type { Cause } from '../work/messages.ts';
import { FLEET_TABLE } from './fleet-table-client.ts';
import type { Move } from './reconcile-use.ts';

/**
 * Appends a record of each move to the audit trail. Never throws.
 *
 * @returns ids of the moves that are in the trail by then
 */
export async function recordMoves(
  moves: readonly { readonly move: Move; readonly cause: Cause }[],
  audit: RecordAudit,
): Promise<ReadonlySet<string>> {
  const written = await pMap(moves, async ({ move, cause }) => {
    const { id, reason, account, scope, key, from, to, mode, provenBy, rekey } = move;
    const entry = {
      id,
      action: reason === 'Rekeyed' ? 'account.rekey' : 'account.move',
      reason,
      resource: account,
      details: {
        ...(scope === undefined ? {} : { scope }),
        key,
        ...(reason === 'Rekeyed' ? { toKey: to.slice(0, to.lastIndexOf('/')), rekey } : {}),
        ...{ from, to, mode, cause },
        // The move is attributed by rows of the work zone: a record by the PATCH's own answer is stronger evidence.
        ...(provenBy ? { provenBy, foundIn: FLEET_TABLE } : {}),
      },
    };
    return 'written' in (await audit(entry, AUDIT_WAIT_MS)) ? id : '';
  });
  return new Set(written);
}
