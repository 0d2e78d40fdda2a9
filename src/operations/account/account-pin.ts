import { CmkError } from '../../errors.ts';
import { accountKeyUse } from '../../fleet/key-use.ts';
import { withKeyVersion } from '../../fleet/plan.ts';
import { formatKeyIdentifier } from '../../keys/key-identifier.ts';
import { findVersion, isKnownOlder, type KeyVersion, newestUsableVersion } from '../../keys/key-versions.ts';
import { usableVersion } from '../key/usable-key.ts';
import type { Operation } from '../operator-azure.ts';
import { findAccount, keyByName, type Where } from '../resolve.ts';
import { describeUse } from './account-change-key.ts';
import type { AccountPlan } from './account-plan.ts';
import { type AccountResult, accountResult, applyPlan } from './account-write.ts';

interface PinOptions extends Where {
  readonly account: string;
  /** Undefined: the newest usable one. */
  readonly version?: string | undefined;
}

/** Holds an account at a version of the key it uses: the newest usable one, or a newer one than it is at. */
export async function pinAccount(options: PinOptions, operation: Operation): Promise<AccountResult> {
  const { azure, journal } = operation;
  const account = await findAccount(options.account, azure, options);
  const use = required(accountKeyUse(account.encryption), account.name);
  journal.found(describeUse(account, use));
  const key = keyByName(formatKeyIdentifier(use), undefined, azure.cloud);
  const versions = await azure.keys.listVersions(key);
  const newest = newestUsableVersion(versions, azure.now());
  const target = usableVersion(key, versions, options.version ?? newest?.version, azure.now());
  const held = use.pinned ?? use.current;
  refuseBackwards(account.name, target, held === undefined ? undefined : findVersion(versions, held));
  // Azure may still use another version than the one that it is told to: then the same is written again.
  const isHeld = use.pinned === target.version && (use.current === undefined || use.current === target.version);
  const plan: AccountPlan = isHeld
    ? { write: false, why: `${account.name} is pinned to this version already` }
    : { write: true, identity: undefined, encryption: withKeyVersion(account.encryption, target.version) };
  const result = accountResult(
    await applyPlan(account, plan, `${account.name} pinned to ${target.version}`, operation),
  );
  if (newest && newest.version !== target.version) {
    journal.note(`There is a newer version, ${newest.version}: the app moves the account to it when it looks next.`);
  }
  return result;
}

/** Lets an account follow the newest version of its key by itself. */
export async function unpinAccount(options: PinOptions, operation: Operation): Promise<AccountResult> {
  const { azure, journal } = operation;
  const account = await findAccount(options.account, azure, options);
  const use = required(accountKeyUse(account.encryption), account.name);
  journal.found(describeUse(account, use));
  let plan: AccountPlan = { write: false, why: `${account.name} is automatic already` };
  if (use.pinned !== undefined) {
    const key = keyByName(formatKeyIdentifier(use), undefined, azure.cloud);
    usableVersion(key, await azure.keys.listVersions(key), undefined, azure.now());
    plan = { write: true, identity: undefined, encryption: withKeyVersion(account.encryption, '') };
  }
  return accountResult(await applyPlan(account, plan, `${account.name} set to follow the newest version`, operation));
}

function required<T>(use: T | undefined, account: string): T {
  if (use) return use;
  throw new CmkError(
    'NotCustomerManaged',
    `${account} uses Microsoft-managed keys: there is no version to choose.`,
    `Enable customer-managed keys first: cmk account enable ${account} --vault <vault> --key <key>`,
  );
}

function refuseBackwards(account: string, target: KeyVersion, held: KeyVersion | undefined): void {
  if (!held || held.version === target.version || isKnownOlder(held, target)) return;
  throw new CmkError(
    'NeverBackwards',
    `${account} is at version ${held.version}, which is not older than ${target.version}. Accounts are never moved back.`,
    'If the newer version must not be used, make a newer one still: cmk key rotate',
  );
}
