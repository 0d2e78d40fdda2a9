import { accountHistory } from '../audit/http/audit-api.ts';
import type { AuditRecordView } from '../audit/trail-view.ts';
import { KeptPart, type PartTaken } from '../azure/kept-part.ts';
import type { ApiCall } from './api.ts';

/** A history is not read again within so long, and waited for so long. Milliseconds. */
const BELIEVED_MS = 10_000;
const WAIT_MS = 1_500;
/** Those read longest ago go first. */
const MOST_KEPT = 500;

/** The last records about accounts, by account and by who looks: not everybody sees the same. */
export class AccountHistories {
  readonly #kept = new Map<string, KeptPart<readonly AuditRecordView[]>>();

  /** Never throws. */
  take(account: string, { caller, services }: ApiCall): Promise<PartTaken<readonly AuditRecordView[]>> {
    // Roles too: who lost one sees what they may see now.
    const name = JSON.stringify([account.toLowerCase(), caller.objectId, caller.roles]);
    const part = this.#kept.get(name) ?? new KeptPart<readonly AuditRecordView[]>(BELIEVED_MS);
    this.#kept.delete(name);
    this.#kept.set(name, part);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    return part.take(() => accountHistory(account, caller, services), services.now, WAIT_MS);
  }
}
