import type { Account, PlatformScope, Scope } from '../../../accounts/account.ts';
import { describeAnswerOf, describeFailure, type Failure } from '../../../azure/failure.ts';
import { readOnce } from '../../../azure/read-once.ts';
import { getKnown, type Part, readPart } from '../../../azure/read-or-why.ts';
import { splitScope } from '../../../azure/resource-id.ts';
import { ACCOUNT_CHECKS, KEY_CHECKS, VAULT_CHECKS } from '../../../drift/checks/checks.ts';
import { evaluate } from '../../../drift/checks/evaluate.ts';
import type { AccountSubject, KeySubject, Rules, VaultSubject } from '../../../drift/checks/subjects.ts';
import { gatherAccount } from '../../../drift/gather/gather-account.ts';
import { readKey } from '../../../drift/gather/gather-keys.ts';
import type { Finding } from '../../../drift/report/report.ts';
import type { Reason } from '../../../errors/reasons.ts';
import { checkKeyAccess, readIdentityState } from '../../../identities/check-key-access.ts';
import { findUserAssignedIdentity, type IdentityState } from '../../../identities/key-access.ts';
import { formatKeyIdentifier } from '../../../keys/key-identifier.ts';
import { createManagedKey } from '../../../keys/managed-vaults.ts';
import { formatVaultOption } from '../../../keys/vault-options.ts';
import { getUpdateMode, getVersionInUse } from '../../../keys/version-in-use.ts';
import { chooseShare } from '../../../probe/probe-targets.ts';
import { readDrift } from '../../../settings/settings.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { findAccount, lookUpVault, resolveKeyByName, toManagedVault, type Where } from '../resolve.ts';

export interface Verification {
  /** ARM id. */
  readonly account: string;
  /** Every check that ran has passed, and every required check could run. */
  readonly ok: boolean;
  readonly checks: readonly ChecklistLine[];
}

/**
 * Checks every requirement of an account's encryption with its key. Runs the drift check's checks, and sends a request
 * to the file service. Changes nothing.
 */
export async function verifyAccount(
  options: Where & { readonly account: string },
  { azure }: Operation,
): Promise<Verification> {
  const account = await findAccount(options.account, azure, options);
  const identityId = findUserAssignedIdentity(account);
  const identity = identityId ? await readIdentityState(identityId, azure) : undefined;
  const vaults = readOnce((vaultUri: string) => readVault(vaultUri, azure));
  const keys = readOnce(async (id: string) => readKeyIn(id, vaults.get, azure));
  let scopes: Part<readonly (Scope | PlatformScope)[]> = { value: [] };
  const [gathered, fileService, tenantId] = await Promise.all([
    gatherAccount(account, {
      key: (use) => keys.get(formatKeyIdentifier(use)),
      access: async (of, { key }) => (await checkKeyAccess([of], key, azure))[0],
      scopes: async (of) => {
        scopes = await readScopes(of, azure);
        return getKnown(scopes) ?? [];
      },
      own: false,
    }),
    queryFileService(account, azure),
    tenantOf(account, azure),
  ]);

  const subject = { ...gathered, tenantId };
  const { use, key } = subject;
  const vault = use && (await vaults.get(use.vaultUri));

  // Ignores required keys and exemptions: this command checks one account, not the fleet.
  const drift = readDrift({}, azure.cloud);
  const rules: Rules = { now: azure.now(), drift, contests: [], wantedSubscriptions: undefined, wantedWatches: [] };
  const findings = [
    ...evaluate(ACCOUNT_CHECKS, subject, account.id, rules),
    ...(key ? evaluate(KEY_CHECKS, key, key.key.id, rules) : []),
    ...(vault ? evaluate(VAULT_CHECKS, vault, vault.vault.id, rules) : []),
  ];

  const checks = createChecklist({ subject, vault, identity, scopes, findings, fileService });
  const holds = ({ state, check }: ChecklistLine) =>
    state === 'ok' || state === 'advice' || (state === 'unknown' && MAY_BE_UNKNOWN.has(check));

  return { account: account.id, ok: use !== undefined && checks.every(holds), checks };
}

/** Checks that an account may be unable to answer: it may have no share, and no sign-in can read a perimeter. */
const MAY_BE_UNKNOWN: ReadonlySet<string> = new Set(['file service', 'network']);

/** Undefined if it cannot be read: then the vault's tenant is not compared. */
async function tenantOf({ subscriptionId }: Account, { subscriptions }: Azure): Promise<string | undefined> {
  const tenants = await subscriptions.tenants().catch(() => new Map<string, string>());
  return tenants.get(subscriptionId.toLowerCase());
}

export async function readScopes(
  account: Account,
  { accounts }: Azure,
): Promise<Part<readonly (Scope | PlatformScope)[]>> {
  const action = 'Microsoft.Storage/storageAccounts/encryptionScopes/read';
  const what = { resource: account.id, what: 'the encryption scopes of the account', action };
  return readPart(what, () => Array.fromAsync(accounts.listAllScopes(account)));
}

async function queryFileService(account: Account, { shares, dataLists }: Azure): Promise<FileServiceAnswer> {
  try {
    const share = chooseShare(await Array.fromAsync(shares.list(account)));
    if (share !== undefined) await dataLists.file(account.name, share);
    return { served: share };
  } catch (error) {
    return { failure: describeFailure(error) };
  }
}

/** Reads a vault. A vault that the sign-in cannot read has no ARM id here. */
async function readVault(vaultUri: string, azure: Azure): Promise<VaultSubject> {
  const what = { resource: vaultUri, what: 'the vault', action: 'Microsoft.KeyVault/vaults/read' };
  const properties = await readPart(what, () => lookUpVault(vaultUri, azure));
  const seen = getKnown(properties);
  const vault = seen
    ? toManagedVault(seen, azure.cloud)
    : resolveKeyByName(`${vaultUri}/keys/any`, undefined, azure.cloud).vault;
  return { vault, properties, events: undefined, deadLetters: { value: [] } };
}

async function readKeyIn(
  id: string,
  vaults: (uri: string) => Promise<VaultSubject>,
  azure: Azure,
): Promise<KeySubject> {
  const { vault: named, name } = resolveKeyByName(id, undefined, azure.cloud);
  const { vault, properties } = await vaults(named.uri);
  const read = await readKey(createManagedKey(vault, name), { keys: azure.keys, keyCatalog: azure.keyAdmin });
  const key = { ...read, tenantId: getKnown(properties)?.tenantId };
  const unseen = 'value' in properties && properties.value === undefined;

  // A vault that ARM does not show may still serve its keys. A `forbidden` answer proves that it exists.
  const answers = 'unread' in key.versions ? key.versions.unread.kind === 'forbidden' : key.versions.value.length > 0;
  if (!unseen || answers) return key;

  return { ...key, state: 'vaultGone' };
}

/** Result of one check, for people. */
export interface ChecklistLine {
  readonly check: string;
  /** `advice`: passed, with a recommendation. */
  readonly state: 'ok' | 'advice' | 'failed' | 'unknown';
  readonly detail: string;
  readonly fix?: string;
}

/** The readable share, undefined if the account has no share, or why the file service could not be read. */
type FileServiceAnswer = { readonly served: string | undefined } | { readonly failure: Failure };

interface Verified {
  readonly subject: AccountSubject;
  readonly vault: VaultSubject | undefined;
  /** State of the account's user-assigned identity; undefined: the account has none. */
  readonly identity: IdentityState | undefined;
  readonly scopes: Part<unknown>;
  readonly findings: readonly Omit<Finding, 'since'>[];
  readonly fileService: FileServiceAnswer;
}

/** Groups findings into a few lines, each with the fix for this account. */
export function createChecklist({
  subject,
  vault,
  identity,
  scopes,
  findings,
  fileService,
}: Verified): ChecklistLine[] {
  const { use, key, account, access } = subject;
  const served = fileServiceLine(fileService, account.name);

  if (!use || !key) {
    const fix = `cmk account enable ${account.name} --vault <vault> --key <key> --identity <identity>`;
    return [{ check: 'key source', state: 'failed', detail: 'Microsoft-managed keys', fix }, served];
  }

  const line = (check: string, reasons: readonly Reason[], detail: string, unknown?: string): ChecklistLine => {
    const [first] = reasons.flatMap((reason) => findings.filter((one) => one.reason === reason));
    if (!first) return unknown ? { check, state: 'unknown', detail: unknown } : { check, state: 'ok', detail };
    const { scope: of } = splitScope(first.resource);
    const state = stateOf(first);
    return { check, state, detail: of ? `scope ${of}: ${first.is}` : first.is, fix: fixOf(first, subject) };
  };

  const held = getVersionInUse(use);
  const unheld = held === undefined ? 'Storage does not report which version it uses.' : undefined;
  const noVersion =
    key.state === 'present' ? (unreadOf(key.versions) ?? unheld) : 'The account has no usable key to check.';
  const material = getKnown(key.material);
  const bits = material?.size === undefined ? '' : ` ${material.size}`;
  const chosen = account.encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  const noIdentity = access?.reason === 'IdentityMissing' || access?.reason === 'IdentityDeleted';
  const undetermined = access?.ready === 'unknown' ? access.missing.join(' ') : undefined;
  const unseen = vault && !getKnown(vault.properties) ? 'Your sign-in cannot read the vault.' : undefined;
  const unreadVault = (vault && unreadOf(vault.properties)) ?? unseen;
  const onServiceKey = 'under the key of the account';
  const hasScopeLine = 'unread' in scopes || findings.some(({ reason }) => reason === 'ScopeNotCustomerManaged');

  return [
    { check: 'key source', state: 'ok', detail: `Key Vault, ${formatKeyIdentifier(use)}` },
    line(
      'key',
      ['KeyDeleted', 'UnsupportedKey', 'KeyOperationsMissing'],
      material ? `${material.type}${bits}` : 'Key Vault does not show its type.',
      unreadOf(key.material),
    ),
    line('version usable', ['RevocationOpen', 'KeyDisabled', 'KeyExpired'], `${held}`, noVersion),
    line(
      'version newest',
      ['StaleKeyVersion', 'LaggingAutomaticVersion', 'ScopeStaleKeyVersion'],
      getUpdateMode(use),
      noVersion,
    ),
    line(
      'identity',
      ['IdentityMissing', 'IdentityDeleted', 'TenantMismatch'],
      chosen?.split('/').at(-1) ?? 'system-assigned',
      identity?.is === 'unknown' ? identity.why : undefined,
    ),
    line(
      'role on the key',
      ['IdentityWithoutRole'],
      'may read, wrap and unwrap',
      !access || noIdentity ? 'The account has no identity to check.' : undetermined,
    ),
    line('purge protection', ['PurgeProtectionOff', 'SoftDeleteOff'], 'on, with soft delete', unreadVault),
    line('network', ['VaultUnreachable'], 'the vault lets Storage in', unreadVault),
    ...(account.endpoints?.includes('queue') ? [line('queues', ['QueueOnServiceKey'], onServiceKey)] : []),
    ...(account.endpoints?.includes('table') ? [line('tables', ['TableOnServiceKey'], onServiceKey)] : []),
    ...(hasScopeLine ? [line('encryption scopes', ['ScopeNotCustomerManaged'], '', unreadOf(scopes))] : []),
    served,
  ];
}

function stateOf({ reason, severity }: Omit<Finding, 'since'>): ChecklistLine['state'] {
  if (severity === 'advice' && /OnServiceKey$/.test(reason)) return 'advice';
  // The settings of the vault do not show whether a perimeter admits the account.
  return reason === 'VaultUnreachable' && severity === 'warning' ? 'unknown' : 'failed';
}

/** The fix for a finding: its own command or text, unless this account needs a more specific one. */
function fixOf({ reason, fix, command }: Omit<Finding, 'since'>, { account, use, key }: AccountSubject): string {
  if (reason === 'LaggingAutomaticVersion') {
    return `cmk account pin ${account.name} moves it now, and cmk account unpin makes it automatic again`;
  }
  if (reason === 'IdentityWithoutRole' && command) return `unless cmk account revoke removed it: ${command}`;
  if (reason !== 'IdentityMissing' && reason !== 'IdentityDeleted') return command ?? fix;
  const where = formatVaultOption(key?.key.vault ?? { kind: 'vault', name: '<vault>' });
  const enable = `cmk account enable ${account.name} ${where} --key ${use?.keyName ?? '<key>'} --identity <identity>`;
  return reason === 'IdentityDeleted' ? `${enable} --replace-identity` : (command ?? enable);
}

function unreadOf(part: Part<unknown>): string | undefined {
  return 'unread' in part ? `It could not be read: ${part.unread.detail}` : undefined;
}

function fileServiceLine(answer: FileServiceAnswer, account: string): ChecklistLine {
  const check = 'file service';

  if ('served' in answer) {
    return answer.served === undefined
      ? { check, state: 'unknown', detail: 'The account has no file share to read.' }
      : { check, state: 'ok', detail: `share ${answer.served} is served` };
  }

  const { failure } = answer;
  if (failure.status === 403 && /^KeyVault/.test(failure.code)) {
    const fix = 'see the checks of the key, its version and the role';
    return { check, state: 'failed', detail: `refused: ${failure.code}`, fix };
  }

  const fix = `ask for Storage File Data Privileged Reader on ${account}`;
  const detail = `The share cannot be read: ${describeAnswerOf(failure)}`;

  return { check, state: 'unknown', detail, ...(failure.kind === 'forbidden' ? { fix } : {}) };
}
