import { describe, type Failure } from '../../azure/failure.ts';
import { known, type Part } from '../../azure/read-or-why.ts';
import { splitScope } from '../../azure/resource-id.ts';
import type { AccountSubject, KeySubject, VaultSubject } from '../../drift/checks/subjects.ts';
import type { Finding } from '../../drift/report.ts';
import type { IdentityState } from '../../identities/key-access.ts';
import { formatKeyIdentifier } from '../../keys/key-identifier.ts';
import { vaultOption } from '../../keys/vault-options.ts';
import type { Reason } from '../../reasons.ts';

/** One thing that has to hold, for a person to read. */
export interface ChecklistLine {
  readonly check: string;
  /** `advice`: in order, and there is something to know about it. */
  readonly state: 'ok' | 'advice' | 'failed' | 'unknown';
  readonly detail: string;
  readonly fix?: string;
}

/** What the file service said, or why it could not be asked. */
export type FileServiceAnswer =
  | { readonly served: string }
  /** The account has no share to ask about. */
  | { readonly served: undefined }
  | { readonly failure: Failure };

interface Verified {
  readonly subject: AccountSubject;
  readonly vault: VaultSubject | undefined;
  /** Of the account's user-assigned identity; undefined: it has none. */
  readonly identity: IdentityState | undefined;
  readonly scopes: Part<unknown>;
  readonly findings: readonly Omit<Finding, 'since'>[];
  readonly fileService: FileServiceAnswer;
}

/** Findings in a few lines, each with what to do about it for this very account. */
export function checklist(verified: Verified): ChecklistLine[] {
  const { subject, fileService } = verified;
  const { use, key, account } = subject;
  const served = fileServiceLine(fileService, account.name);
  if (!use || !key) {
    const fix = `cmk account enable ${account.name} --vault <vault> --key <key> --identity <identity>`;
    return [{ check: 'key source', state: 'failed', detail: 'Microsoft-managed keys', fix }, served];
  }
  const held = use.current ?? use.pinned;
  const mode = use.pinned === undefined ? 'automatic' : 'pinned';
  const chosen = account.encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  const line = (check: string, reasons: readonly Reason[], detail: string, unknown?: string): ChecklistLine => {
    const found = verified.findings.filter(({ reason }) => reasons.some((one) => one === reason));
    const [first] = reasons.flatMap((reason) => found.filter((one) => one.reason === reason));
    if (!first) return unknown ? { check, state: 'unknown', detail: unknown } : { check, state: 'ok', detail };
    const { scope: of } = splitScope(first.resource);
    return { check, state: 'failed', detail: of ? `scope ${of}: ${first.is}` : first.is, fix: fixOf(first, subject) };
  };
  const findingOf = (reason: Reason) => verified.findings.find((finding) => finding.reason === reason);
  const underKey = (check: string, reason: Reason): ChecklistLine => {
    const made = line(check, [reason], 'under the key of the account');
    return findingOf(reason)?.severity === 'advice' ? { ...made, state: 'advice' } : made;
  };
  return [
    { check: 'key source', state: 'ok', detail: `Key Vault, ${formatKeyIdentifier(use)}` },
    line('key', ['KeyDeleted', 'UnsupportedKey'], materialOf(key), unreadOf(key.material)),
    line('version usable', ['RevocationOpen', 'KeyDisabled', 'KeyExpired'], `${held}`, noVersion(key, held)),
    line(
      'version newest',
      ['StaleKeyVersion', 'LaggingAutomaticVersion', 'ScopeStaleKeyVersion'],
      mode,
      noVersion(key, held),
    ),
    line(
      'identity',
      ['IdentityMissing', 'IdentityDeleted'],
      chosen?.split('/').at(-1) ?? 'system-assigned',
      verified.identity?.is === 'unknown' ? verified.identity.why : undefined,
    ),
    line('role on the key', ['IdentityWithoutRole'], 'may read, wrap and unwrap', noAccess(subject)),
    line('purge protection', ['PurgeProtectionOff', 'SoftDeleteOff'], 'on, with soft delete', unseen(verified.vault)),
    ...(account.endpoints?.includes('queue') ? [underKey('queues', 'QueueOnServiceKey')] : []),
    ...(account.endpoints?.includes('table') ? [underKey('tables', 'TableOnServiceKey')] : []),
    ...('unread' in verified.scopes || findingOf('ScopeNotCustomerManaged')
      ? [line('encryption scopes', ['ScopeNotCustomerManaged'], '', unreadOf(verified.scopes))]
      : []),
    served,
  ];
}

/** What repairs it: the finding's own command or words, but where this account shows more. */
function fixOf({ reason, fix, command }: Omit<Finding, 'since'>, { account, use, key }: AccountSubject): string {
  if (reason === 'LaggingAutomaticVersion') {
    return `cmk account pin ${account.name} moves it now, and cmk account unpin makes it automatic again`;
  }
  if (reason !== 'IdentityMissing' && reason !== 'IdentityDeleted') return command ?? fix;
  const where = vaultOption(key?.key.vault ?? { kind: 'vault', name: '<vault>' });
  const enable = `cmk account enable ${account.name} ${where} --key ${use?.keyName ?? '<key>'} --identity <identity>`;
  return reason === 'IdentityDeleted' ? `${enable} --replace-identity` : (command ?? enable);
}

function materialOf({ material }: KeySubject): string {
  const read = known(material);
  return read ? `${read.type}${read.size === undefined ? '' : ` ${read.size}`}` : 'Key Vault does not show its type.';
}

function noVersion({ versions, state }: KeySubject, held: string | undefined): string | undefined {
  if (state !== 'present') return 'There is no key to check.';
  return unreadOf(versions) ?? (held === undefined ? 'Storage does not say which version it uses.' : undefined);
}

function noAccess({ access }: AccountSubject): string | undefined {
  if (!access || access.reason === 'IdentityMissing' || access.reason === 'IdentityDeleted') {
    return 'There is no identity to check.';
  }
  return access.ready === 'unknown' ? access.missing.join(' ') : undefined;
}

function unseen(vault: VaultSubject | undefined): string | undefined {
  if (!vault) return undefined;
  return unreadOf(vault.properties) ?? (known(vault.properties) ? undefined : 'Your sign-in does not see the vault.');
}

function unreadOf(part: Part<unknown>): string | undefined {
  return 'unread' in part ? `It cannot be read: ${part.unread.detail}` : undefined;
}

function fileServiceLine(answer: FileServiceAnswer, account: string): ChecklistLine {
  const check = 'file service';
  if ('served' in answer) {
    return answer.served === undefined
      ? { check, state: 'unknown', detail: 'The account has no file share to ask about.' }
      : { check, state: 'ok', detail: `share ${answer.served} is served` };
  }
  const { failure } = answer;
  if (failure.status === 403 && /^KeyVault/.test(failure.code)) {
    const fix = 'see the checks of key, version and role';
    return { check, state: 'failed', detail: `refused: ${failure.code}`, fix };
  }
  const fix = `ask for Storage File Data Privileged Reader on ${account}`;
  const detail = `The share cannot be asked: ${describe(failure)}`;
  return { check, state: 'unknown', detail, ...(failure.kind === 'forbidden' ? { fix } : {}) };
}
