import { unlessMissing } from '../../azure/failure.ts';
import { scopeResource } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import { readLegacyRevocations } from '../../identities/legacy-revocation.ts';
import { checkName } from '../names.ts';
import type { Operation } from '../operator-azure.ts';
import { findAccount, type Where } from '../resolve.ts';
import { removeLegacyRecords } from './account-break-glass.ts';

interface ScopeState {
  /** Name or ARM id. */
  readonly account: string;
  readonly scope: string;
  readonly state: 'Enabled' | 'Disabled';
}

/**
 * Disables or enables an encryption scope. Enabling a scope also removes the records of its revocations by version 2.
 *
 * @throws {@link CmkError} `AccountNotFound`, `NotFound`
 */
export async function setScopeState(
  { account: named, scope, state, ...where }: ScopeState & Where,
  { azure, journal }: Operation,
): Promise<ScopeState> {
  // The name becomes part of a path, so it is checked.
  checkName('scope', scope);
  const account = await findAccount(named, azure, where);
  const from = await unlessMissing(() => azure.scopeStates.get(account, scope));
  if (from === undefined) {
    throw new CmkError('NotFound', `${account.name} has no encryption scope ${scope}.`, 'Check the name of the scope.');
  }
  const isOn = state === 'Enabled';
  const text = `encryption scope ${scope} ${state.toLowerCase()}`;
  const resource = scopeResource(account.id, scope);
  const change = { text, action: isOn ? 'scope.enable' : 'scope.disable', resource, from, to: state } as const;
  if (from === state) journal.found(`${text} before`);
  else await journal.change(change, () => azure.scopeStates.set(account, scope, state));
  if (isOn) {
    const legacy = readLegacyRevocations(account.tags).filter((one) => one.scope?.toLowerCase() === scope);
    await removeLegacyRecords(account, legacy, { azure, journal });
  } else {
    journal.note(
      `Storage rejects requests for blobs of the scope (403). File shares have no scopes and stay readable.`,
    );
    journal.note(`Not permanent. To enable it: cmk scope enable ${account.name} ${scope}`);
  }
  return { account: account.id, scope, state };
}
