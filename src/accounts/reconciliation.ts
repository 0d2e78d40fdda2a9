import type { RecordAudit } from '../audit/audit-trail.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import type { Pacer } from '../azure/pacer.ts';
import { parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import type { Keys } from '../keys/key-client.ts';
import { formatKeyIdentifier } from '../keys/key-identifier.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log, LogLevel } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { Settings } from '../settings/settings.ts';
import type { Cause } from '../work/messages.ts';
import type { OneAtATime } from '../work/one-at-a-time.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import type { Account } from './account.ts';
import { accountKeyUse, type KeyUse, usesKey } from './key-use.ts';
import { planKeyUse, withKeyVersion } from './plan.ts';
import type { StorageAccounts } from './storage-client.ts';

export type ReconcileServices = {
  readonly settings: Settings;
  readonly keys: Keys;
  readonly accounts: StorageAccounts;
  readonly audit: RecordAudit;
  readonly pacer: Pacer;
  readonly readPacer: Pacer;
  readonly oneAtATime: OneAtATime;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
};

/** How long a move waits for the audit trail, in milliseconds. */
const AUDIT_WAIT_MS = 10_000;

/** What one account, or one of its encryption scopes, was found to be and became. */
export interface KeyUseResult {
  readonly account: string;
  readonly scope?: string;
  readonly key: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly mode: 'pinned' | 'automatic';
}

/** The steps that an account and its scopes share: plan, write, compare the answer with what was wanted, say so. */
export class Reconciliation {
  readonly cause: Cause;
  readonly key: ManagedKey;
  readonly services: ReconcileServices;
  readonly #log: Log;

  constructor(cause: Cause, key: ManagedKey, services: ReconcileServices, log: Log) {
    this.cause = cause;
    this.key = key;
    this.services = services;
    this.#log = log;
  }

  async account(
    account: Account,
    use: KeyUse,
    versions: readonly KeyVersion[],
  ): Promise<{ result: Outcome; wrote: boolean }> {
    const id = parseResourceId(account.id) as ResourceId;
    return this.apply(account.id, undefined, use, versions, async (pin) => {
      const updated = await this.services.accounts.updateEncryption(id, withKeyVersion(account.encryption, pin));
      return accountKeyUse(updated.encryption);
    });
  }

  /** `write` is given the version to pin, or "" to stay automatic, and returns the use as Azure's answer shows it. */
  async apply(
    account: string,
    scope: string | undefined,
    use: KeyUse,
    versions: readonly KeyVersion[],
    write: (pin: string) => Promise<KeyUse | undefined>,
  ): Promise<{ result: Outcome; wrote: boolean }> {
    const { settings, now } = this.services;
    const plan = planKeyUse(use, versions, now(), settings);
    const about: Omit<KeyUseResult, 'to' | 'from'> = {
      account,
      ...(scope ? { scope } : {}),
      key: this.key.id,
      mode: use.pinned === undefined ? 'automatic' : 'pinned',
    };
    const from = this.#versionId(use.pinned ?? use.current);
    if (!plan.write) {
      this.record(levelOf(plan.reason), plan.reason, { ...about, from, to: from });
      return { result: DONE, wrote: false };
    }
    let answer: KeyUse | undefined;
    try {
      answer = await write(plan.pin);
    } catch (error) {
      return { result: this.#refused(error, { ...about, from, to: plan.target.id }), wrote: true };
    }
    const to = this.#versionId(answer?.current ?? answer?.pinned);
    const proven = answer !== undefined && usesKey(answer, this.key) && answer.current === plan.target.version;
    const kept = (answer?.pinned === undefined) === (use.pinned === undefined);
    if (plan.reason === 'LaggingAutomaticVersion') {
      // Whether Storage looks at once is not documented: its answer decides what is said, and either is in order.
      const reason = proven && kept ? 'Refreshed' : 'LaggingAutomaticVersion';
      this.record('info', reason, { ...about, from, to });
      if (reason === 'Refreshed') await this.#audit(reason, { ...about, from, to });
      return { result: DONE, wrote: true };
    }
    if (proven && kept) {
      this.record('info', 'Moved', { ...about, from, to });
      await this.#audit('Moved', { ...about, from, to });
      return { result: DONE, wrote: true };
    }
    const detail = `Azure's answer shows ${to ?? 'no version'}, not ${plan.target.id}.`;
    return {
      result: { outcome: 'retry', reason: 'NotProven', detail, counts: true, delaySeconds: undefined },
      wrote: true,
    };
  }

  record(level: LogLevel, reason: Reason, about: Partial<KeyUseResult>, detail?: string): void {
    const { since } = this.cause;
    const seconds = since === '' ? undefined : (this.services.now().getTime() - Date.parse(since)) / 1000;
    this.#log({ level, reason, message: detail ?? REASONS[reason], ...about, cause: this.cause, seconds });
  }

  /** The proof goes into the audit trail; one that cannot be written is in the log, and the work is done all the same. */
  async #audit(reason: Reason, { account, ...details }: KeyUseResult): Promise<void> {
    const entry = { action: 'account.move', reason, resource: account, details: { ...details, cause: this.cause } };
    await this.services.audit(entry, AUDIT_WAIT_MS);
  }

  #refused(error: unknown, about: KeyUseResult): Outcome {
    const failure = describeFailure(error);
    // Deleted between the read and the write. Other 404s are about the key (`HttpResourceNotFound`).
    if (failure.kind === 'notFound' && failure.code === 'ResourceNotFound') {
      this.record('info', 'AccountNotFound', about);
      return DONE;
    }
    const outcome = outcomeOfFailure(error);
    if (outcome.outcome !== 'done') this.record('warning', outcome.reason, about, describe(failure));
    return outcome;
  }

  #versionId(version: string | undefined): string | undefined {
    return version && formatKeyIdentifier({ vaultUri: this.key.vault.uri, keyName: this.key.name }, version);
  }
}

function levelOf(reason: Reason): LogLevel {
  if (reason === 'NoUsableVersion' || reason === 'KeyNotFound') return 'error';
  return reason === 'NeverBackwards' || reason === 'RevocationOpen' ? 'warning' : 'info';
}
