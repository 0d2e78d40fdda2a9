import { accountHistory } from '../audit/http/audit-api.ts';
import type { AuditRecordView } from '../audit/trail-view.ts';
import { type PartTaken, ReadCache } from '../azure/read-cache.ts';
import type { ApiCall } from './api.ts';

/** A history is not read again within so long, and waited for so long. Milliseconds. */
const BELIEVED_MS = 10_000;
const WAIT_MS = 1_500;

/** The last records about accounts, by account and by who looks: not everybody sees the same. */
export class AccountHistories {
  readonly #cache = new ReadCache<readonly AuditRecordView[]>(BELIEVED_MS);

  /** Never throws. */
  take(account: string, { caller, services }: ApiCall): Promise<PartTaken<readonly AuditRecordView[]>> {
    // Roles too: who lost one sees what they may see now.
    const name = JSON.stringify([account.toLowerCase(), caller.objectId, caller.roles]);
    return this.#cache.take(name, () => accountHistory(account, caller, services), WAIT_MS, services.now);
  }
}
