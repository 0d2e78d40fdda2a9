import { parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import { formatKeyIdentifier } from '../keys/key-identifier.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { DONE, type Outcome } from '../work/outcome.ts';
import { type Account, pacingCell, type Scope } from './account.ts';
import { scopeKeyUse, usesKey } from './key-use.ts';
import type { Reconciliation } from './reconciliation.ts';

/**
 * Moves the encryption scopes of one account that use the key. A scope has no identity and no mode of its own beyond its
 * key URI: with a version it is pinned, without one it is automatic. One that is disabled is moved too, so that enabling
 * it does not bring back an old version. Returns the first outcome that is not done, after all were looked at.
 */
export async function reconcileScopes(
  account: Account,
  key: ManagedKey,
  versions: readonly KeyVersion[],
  reconciliation: Reconciliation,
): Promise<{ seen: number; outcome: Outcome }> {
  const { accounts, pacer, now, sleep } = reconciliation.services;
  const id = parseResourceId(account.id) as ResourceId;
  const dependents: Scope[] = [];
  for await (const scope of accounts.listScopes(id)) {
    if (usesKey(scopeKeyUse(scope), key)) dependents.push(scope);
  }
  let outcome: Outcome = DONE;
  for (const scope of dependents) {
    const use = scopeKeyUse(scope);
    if (!use) continue;
    const { result } = await reconciliation.apply(account.id, scope.name, use, versions, async (pin) => {
      await sleep(pacer.reserve(pacingCell(account), now().getTime()));
      const target = { vaultUri: use.vaultUri, keyName: use.keyName };
      return scopeKeyUse(await accounts.updateScopeKey(id, scope.name, formatKeyIdentifier(target, pin)));
    });
    if (outcome.outcome === 'done') outcome = result;
  }
  return { seen: dependents.length, outcome };
}
