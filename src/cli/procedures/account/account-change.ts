import type { Account } from '../../../accounts/account.ts';
import { findAccountKeyUse, type KeyUse } from '../../../accounts/key-use.ts';
import { getLastName } from '../../../azure/resource-id.ts';
import { withKeyVersion } from '../../../controller/plan.ts';
import { KEY_TAG } from '../../../drift/checks/left-checks.ts';
import { CmkError } from '../../../errors/errors.ts';
import { readIdentityState } from '../../../identities/check-key-access.ts';
import { findKeyIdentity, findUserAssignedIdentity } from '../../../identities/key-access.ts';
import { formatKeyIdentifier } from '../../../keys/key-identifier.ts';
import { findNewestUsableVersion, findVersion, isKnownOlder } from '../../../keys/key-versions.ts';
import { refuseRevoked, requireUsableVersion } from '../../../revocation/usable-key.ts';
import { findTag, formatOptOut, OPT_OUT_TAG } from '../../../settings/requirement.ts';
import { checkRole, describeSource, type KeyChoice, type KeySource, readKeySource } from '../key/key-source.ts';
import type { Operation } from '../operator-azure.ts';
import { findAccount, resolveKeyByName, type Where } from '../resolve.ts';
import { type AccountPlan, type AccountResult, applyPlan, isKey, planChangeKey, planDisable } from './account-plan.ts';

// Commands that change the key or key version of an account with a customer-managed key.

async function findUse(options: Where & { readonly account: string }, { azure, journal }: Operation) {
  const account = await findAccount(options.account, azure, options);
  const use = findAccountKeyUse(account.encryption);
  if (use) {
    const automatic = `automatic, on version ${use.current ?? 'unknown'}`;
    const mode = use.pinned === undefined ? automatic : `pinned to ${use.pinned}`;
    journal.found(`${account.name} uses ${formatKeyIdentifier(use)}, ${mode}`);
  }
  return { account, use };
}

interface ChangeKeyOptions extends Where {
  readonly account: string;
  /** `pin` undefined: the account keeps its mode. */
  readonly key: KeyChoice;
  /** Makes the account follow the newest version from now on. */
  readonly automatic: boolean;
  readonly waitSeconds?: number | undefined;
}

export async function changeKey(options: ChangeKeyOptions, operation: Operation): Promise<AccountResult> {
  const { account, use } = await findUse(options, operation);
  const isPinned = use?.pinned !== undefined && !options.automatic;
  const source = await readKeySource(
    { ...options.key, pin: options.key.pin ?? (isPinned ? 'newest' : undefined) },
    operation,
  );

  // A pinned account moves to the newest version of another key. With the same key it keeps its version, unless the
  // operator names one.
  const stays = isPinned && options.key.pin === undefined && use && isKey(use, source);
  const plan = planChangeKey(account, stays ? { ...source, pin: use.pinned } : source);
  if (plan.write) {
    await refuseWhileRevoked(use, operation);
    await checkIdentity(account, source, operation);
  }

  const text = `${account.name} encrypted with ${describeSource(source)} instead`;

  return applyPlan(account, plan, text, operation, options.waitSeconds);
}

/** @throws {@link CmkError} `IdentityHasNoAccess` if the account's identity may not use the key */
async function checkIdentity(account: Account, source: KeySource, operation: Operation): Promise<void> {
  const id = findUserAssignedIdentity(account);
  const identity = findKeyIdentity(account, id ? await readIdentityState(id, operation.azure) : undefined);
  if ('principalId' in identity) {
    await checkRole(identity.principalId, id ? getLastName(id) : 'the system-assigned identity', source, operation);
  } else if ('unknown' in identity) {
    operation.journal.note(identity.unknown);
  } else {
    const nextStep = `Attach another identity first: cmk account enable ${account.name} … --identity <identity> --replace-identity`;
    throw new CmkError('IdentityHasNoAccess', identity.missing, nextStep);
  }
}

interface DisableOptions extends Where {
  readonly account: string;
  readonly reason?: string | undefined;
  /** Skips the confirmation, also for a tagged account. */
  readonly yes: boolean;
  /** Asks the operator to type the account's name. Throws if the answer differs. */
  readonly confirm: (name: string) => Promise<void>;
}

/**
 * Returns an account to Microsoft-managed keys. A tag records the intent, so that the drift check does not report the
 * account.
 *
 * @throws {@link CmkError} `ConfirmationWrong` for an account that is tagged to use a key, unless `yes`
 */
export async function disableAccount(options: DisableOptions, operation: Operation): Promise<AccountResult> {
  const { journal } = operation;
  const { account, use } = await findUse(options, operation);
  const plan = planDisable(account);
  if (plan.write) {
    await refuseWhileRevoked(use, operation);

    const tag = findTag(account.tags, KEY_TAG);
    if (tag !== undefined && !options.yes) {
      throw new CmkError(
        'ConfirmationWrong',
        `${account.name} has the tag ${KEY_TAG}: it requires the key ${tag}. Nothing was changed.`,
        'Remove the tag first, or add --yes: the drift check then reports NotCustomerManaged until you remove the tag.',
      );
    }

    if (!options.yes && !journal.dryRun) await options.confirm(account.name);
  }

  const recorded = plan.write ? { ...plan, tags: await optOutTags(account, options.reason, operation) } : plan;
  const result = await applyPlan(account, recorded, `${account.name} uses Microsoft-managed keys`, operation);

  if (plan.write) {
    journal.note('The account keeps its identity and the role on the vault: remove them if nothing else needs them.');
  }

  return result;
}

/** Returns all tags: a PATCH of ARM replaces every tag. */
async function optOutTags(account: Account, reason: string | undefined, { azure }: Operation) {
  const { objectId } = await azure.operator();
  const others = Object.entries(account.tags).filter(([name]) => name.toLowerCase() !== OPT_OUT_TAG);
  const by = reason === undefined ? objectId : `${objectId} ${reason}`;
  return { ...Object.fromEntries(others), [OPT_OUT_TAG]: formatOptOut(azure.now(), by) };
}

/**
 * Throws while the key is revoked: moving the account off it would undo the revocation. An unreadable key may be
 * deleted with its vault, so an account may leave it.
 */
async function refuseWhileRevoked(use: KeyUse | undefined, { azure, journal }: Operation): Promise<void> {
  if (!use) return;
  const key = resolveKeyByName(formatKeyIdentifier(use), undefined, azure.cloud);
  const versions = await azure.keys.listVersions(key).catch(() => {
    journal.note(`The versions of the account's old key ${key.id} cannot be read.`);
    return [];
  });
  refuseRevoked(key, versions, 'the app moves no account off it', azure.now());
}

interface PinOptions extends Where {
  readonly account: string;
  /** Undefined: the newest usable version. */
  readonly version?: string | undefined;
}

/** Pins an account to a version of its key: the newest usable version, or a version newer than its current one. */
export async function pinAccount(options: PinOptions, operation: Operation): Promise<AccountResult> {
  const { azure, journal } = operation;
  const { account, use, key } = await findOwnUse(options, operation);
  const versions = await azure.keys.listVersions(key);
  const newest = findNewestUsableVersion(versions, azure.now());
  const target = requireUsableVersion(key, versions, options.version ?? newest?.version, azure.now());
  const held = findVersion(versions, use.pinned ?? use.current ?? '');
  if (held && held.version !== target.version && !isKnownOlder(held, target)) {
    throw new CmkError(
      'NeverBackwards',
      `${account.name} is at version ${held.version}, which is not older than ${target.version}. cmk never moves an account back.`,
      'If the account must not use its version, create a newer one: cmk key rotate',
    );
  }

  // Storage may still use another version than the account names: then the command writes the same version again.
  const isHeld = use.pinned === target.version && (use.current === undefined || use.current === target.version);
  const plan: AccountPlan = isHeld
    ? { write: false, why: `${account.name} is pinned to this version already` }
    : { write: true, encryption: withKeyVersion(account.encryption, target.version) };
  const result = await applyPlan(account, plan, `${account.name} pinned to ${target.version}`, operation);

  if (newest && newest.version !== target.version) {
    journal.note(
      `A newer version exists, ${newest.version}: the app moves the account to it at its next reconcile pass.`,
    );
  }

  return result;
}

export async function unpinAccount(options: PinOptions, operation: Operation): Promise<AccountResult> {
  const { azure } = operation;
  const { account, use, key } = await findOwnUse(options, operation);
  let plan: AccountPlan = { write: false, why: `${account.name} is automatic already` };
  if (use.pinned !== undefined) {
    requireUsableVersion(key, await azure.keys.listVersions(key), undefined, azure.now());
    plan = { write: true, encryption: withKeyVersion(account.encryption, '') };
  }
  return applyPlan(account, plan, `${account.name} set to follow the newest version`, operation);
}

async function findOwnUse(options: PinOptions, operation: Operation) {
  const { account, use } = await findUse(options, operation);
  if (use) return { account, use, key: resolveKeyByName(formatKeyIdentifier(use), undefined, operation.azure.cloud) };
  throw new CmkError(
    'NotCustomerManaged',
    `${account.name} uses Microsoft-managed keys, which have no version to choose.`,
    `Enable customer-managed keys first: cmk account enable ${account.name} --vault <vault> --key <key>`,
  );
}
