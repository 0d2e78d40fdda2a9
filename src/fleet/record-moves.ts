import pMap from 'p-map';
import type { RecordAudit } from '../audit/audit-trail.ts';
import type { Cause } from '../work/messages.ts';
import { FLEET_TABLE } from './fleet-table-client.ts';
import type { Move } from './reconcile-use.ts';

/** A pass waits so long for the trail, which goes on writing. Milliseconds. */
const AUDIT_WAIT_MS = 5_000;

/**
 * Appends a record of each move to the audit trail. Never throws.
 *
 * @returns ids of those that are in the trail by then
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
        // Attributed by what the work zone says, so that it never replaces a record without.
        ...(provenBy ? { provenBy, foundIn: FLEET_TABLE } : {}),
      },
    };
    return 'written' in (await audit(entry, AUDIT_WAIT_MS)) ? id : '';
  });
  return new Set(written);
}
