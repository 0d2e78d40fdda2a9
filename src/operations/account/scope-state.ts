import { unlessMissing } from '../../azure/failure.ts';
import { scopeResource } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import { readLegacyRevocations } from '../../identities/legacy-revocation.ts';
import { checkName } from '../names.ts';
import type { Operation } from '../operator-azure.ts';
import { findAccount, type Where } from '../resolve.ts';
import { removeLegacyRecords } from './legacy-records.ts';

interface ScopeStateOptions extends Where {
  /** Name or ARM id. */
  readonly account: string;
  readonly scope: string;
  readonly state: 'Enabled' | 'Disabled';
}

interface ScopeStateResult {
  /** ARM id. */
  readonly account: string;
  readonly scope: string;
  readonly state: 'Enabled' | 'Disabled';
}

/**
 * Disables or enables an encryption scope. To enable it also restores what version 2 had revoked of the scope.
 *
 * @throws {@link CmkError} `AccountNotFound`, `NotFound`
 */
export async function setScopeState(
  { account: named, scope, state, ...where }: ScopeStateOptions,
  { azure, journal }: Operation,
): Promise<ScopeStateResult> {
  // It becomes a part of a path.
  checkName('scope', scope);
  const account = await findAccount(named, azure, where);
  const found = await unlessMissing(() => azure.scopeStates.get(account, scope));
  if (found === undefined) {
    throw new CmkError(
      'NotFound',
      `${account.name} has no encryption scope ${scope}.`,
      `Check the name: az storage account encryption-scope list --account-name ${account.name} --resource-group ${account.resourceGroup}`,
    );
  }
  const verb = state === 'Enabled' ? 'enabled' : 'disabled';
  const resource = scopeResource(account.id, scope);
  if (found === state) journal.found(`encryption scope ${scope} is ${verb}`);
  else {
    const action = state === 'Enabled' ? 'scope.enable' : 'scope.disable';
    const change = { text: `encryption scope ${scope} ${verb}`, action, resource, from: found, to: state } as const;
    await journal.change(change, () => azure.scopeStates.set(account, scope, state));
  }
  if (state === 'Enabled') {
    const isOfScope = (of: string | undefined): boolean => of?.toLowerCase() === scope.toLowerCase();
    const legacy = readLegacyRevocations(account.tags).filter((one) => isOfScope(one.scope));
    await removeLegacyRecords(account, legacy, { azure, journal });
  } else {
    journal.note(
      `Every request for a blob of the scope ${scope} is refused (403); file shares have no scopes, and are not affected.`,
    );
    journal.note(`Anyone who may write the account can enable it again: cmk scope enable ${account.name} ${scope}`);
  }
  return { account: account.id, scope, state };
}
