import type { RecordAudit } from '../../src/audit/audit-trail.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { abortAfter, untilAborted } from '../../src/azure/deadline.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import { eventOf, type RevocationEvent } from '../../src/revocation/key-trail.ts';
import type { Way } from './memory-vault.ts';

/** The audit trail in memory. */
export class MemoryAudit {
  readonly entries: AuditEntry[] = [];

  /** Newest first, as they are read back. */
  eventsOf(key: ManagedKey): readonly RevocationEvent[] {
    return this.entries.flatMap((entry) => eventOf(JSON.parse(JSON.stringify(entry)), key) ?? []).reverse();
  }

  port(way: Way): RecordAudit {
    return async (entry, timeoutMs, unlessSince) => {
      try {
        const label = `audit ${entry.reason} of ${entry.resource.split('/').at(-1)}`;
        const write = way(
          label,
          () => {
            const known =
              unlessSince !== undefined && this.entries.some(({ id }) => id !== undefined && id === entry.id);
            if (!known) this.entries.push(entry);
          },
          true,
        );
        // An entry whose time is up is still tried.
        const isWritten = await abortAfter((signal) => untilAborted(write, signal), timeoutMs);
        if (!isWritten) return { failed: 'no answer in time' };
        return { written: { file: 'trail', seq: 1, hash: '' } };
      } catch {
        return { failed: 'no answer' };
      }
    };
  }
}
