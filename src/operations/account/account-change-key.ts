import { lastName } from '../../azure/resource-id.ts';
import { KEY_TAG } from '../../drift/checks/left-checks.ts';
import { CmkError } from '../../errors.ts';
import type { Account } from '../../fleet/account.ts';
import { accountKeyUse, type KeyUse } from '../../fleet/key-use.ts';
import { formatKeyIdentifier } from '../../keys/key-identifier.ts';
import { formatOptOut, OPT_OUT_TAG } from '../../settings/opt-out.ts';
import { tagOf } from '../../settings/requirement.ts';
import { checkRole, describeSource, type KeyChoice, readKeySource } from '../key/key-source.ts';
import { refuseRevoked } from '../key/usable-key.ts';
import type { Operation } from '../operator-azure.ts';
import { findAccount, keyByName, type Where } from '../resolve.ts';
import { isKey, planChangeKey, planDisable } from './account-plan.ts';
import { type AccountResult, accountResult, applyPlan } from './account-write.ts';

interface ChangeKeyOptions extends Where {
  readonly account: string;
  /** `pin` undefined: the account stays in the mode it is in. */
  readonly key: KeyChoice;
  /** Whether the account is to follow the newest version from now on. */
  readonly automatic: boolean;
  readonly waitSeconds?: number | undefined;
}

export async function changeKey(options: ChangeKeyOptions, operation: Operation): Promise<AccountResult> {
  const { azure, journal } = operation;
  const account = await findAccount(options.account, azure, options);
  const use = accountKeyUse(account.encryption);
  if (use) journal.found(describeUse(account, use));
  const isPinned = use?.pinned !== undefined && !options.automatic;
  const source = await readKeySource(
    { ...options.key, pin: options.key.pin ?? (isPinned ? 'newest' : undefined) },
    operation,
  );
  // Pinned to the newest version of another key; of the same key, unless a version is asked for, nothing moves.
  const stays = isPinned && options.key.pin === undefined && use && isKey(use, source);
  const plan = planChangeKey(account, stays ? { ...source, pin: use.pinned } : source);
  if (plan.write) {
    await refuseWhileRevoked(use, operation);
    await checkRole(account, source, identityName(account), operation);
  }
  const text = `${account.name} encrypted with ${describeSource(source)} instead`;
  return accountResult(await applyPlan(account, plan, text, operation, options.waitSeconds));
}

interface DisableOptions extends Where {
  readonly account: string;
  readonly reason?: string | undefined;
  /** The operator confirmed beforehand, for a tagged account too. */
  readonly yes: boolean;
  /** Has the name of the account typed, and throws where that is not done. */
  readonly confirm: (name: string) => Promise<void>;
}

/**
 * Gives an account back to Microsoft-managed keys, and records on it that this is meant: the drift check would miss it.
 *
 * @throws {@link CmkError} `ConfirmationWrong` for an account that is tagged to use a key, unless `yes`
 */
export async function disableAccount(options: DisableOptions, operation: Operation): Promise<AccountResult> {
  const { azure, journal } = operation;
  const account = await findAccount(options.account, azure, options);
  const use = accountKeyUse(account.encryption);
  if (use) journal.found(describeUse(account, use));
  const plan = planDisable(account);
  if (plan.write) {
    await refuseWhileRevoked(use, operation);
    requireUntagged(account, options.yes);
    if (!options.yes && !journal.dryRun) await options.confirm(account.name);
  }
  const recorded = plan.write ? { ...plan, tags: await optOutTags(account, options.reason, operation) } : plan;
  const result = accountResult(
    await applyPlan(account, recorded, `${account.name} uses Microsoft-managed keys`, operation),
  );
  if (plan.write) journal.note('Its identity and the role on the vault stay: remove them if nothing else needs them.');
  return result;
}

function requireUntagged({ name, tags }: Account, yes: boolean): void {
  const tag = tagOf(tags, KEY_TAG);
  if (tag === undefined || yes) return;
  throw new CmkError(
    'ConfirmationWrong',
    `${name} has the tag ${KEY_TAG}: it is meant to use ${tag}. Nothing was changed.`,
    'Take the tag away first, or add --yes: the drift check then reports NotCustomerManaged until the tag is gone.',
  );
}

/** ARM writes all the tags or none. */
async function optOutTags(account: Account, reason: string | undefined, { azure }: Operation) {
  const { objectId } = await azure.operator();
  const others = Object.entries(account.tags).filter(([name]) => name.toLowerCase() !== OPT_OUT_TAG);
  const by = reason === undefined ? objectId : `${objectId} ${reason}`;
  return { ...Object.fromEntries(others), [OPT_OUT_TAG]: formatOptOut(azure.now(), by) };
}

/**
 * Nothing moves off a key while it is revoked: that would open what the revocation cut off. A key that cannot be read may be
 * gone with its vault, and then leaving it is the way out.
 */
async function refuseWhileRevoked(use: KeyUse | undefined, { azure, journal }: Operation): Promise<void> {
  if (!use) return;
  const key = keyByName(formatKeyIdentifier(use), undefined, azure.cloud);
  const versions = await azure.keys.listVersions(key).catch(() => {
    journal.note(`The versions of ${key.id}, which the account leaves, cannot be read.`);
    return [];
  });
  refuseRevoked(key, versions, 'the app moves no account off it', azure.now());
}

export function describeUse(account: Account, use: KeyUse): string {
  const mode =
    use.pinned === undefined ? `automatic, on version ${use.current ?? 'unknown'}` : `pinned to ${use.pinned}`;
  return `${account.name} uses ${formatKeyIdentifier(use)}, ${mode}`;
}

function identityName({ encryption }: Account): string {
  const id = encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  return id ? lastName(id) : 'the system-assigned identity';
}
