import { describeFailure } from '../azure/failure.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { formatKeyIdentifier } from '../keys/key-identifier.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import { pacingCell, type Scope } from './account.ts';
import { scopeKeyUse, usesKey } from './key-use.ts';
import { BUSY, LONGEST_WAIT_MS, type Reconciliation } from './reconciliation.ts';
import type { StorageAccounts } from './storage-client.ts';
import type { Subject } from './subject.ts';

/** No scope is begun later than so many milliseconds after the first one: the rest waits for the next look. */
const LONGEST_MS = 120_000;

/**
 * Moves the encryption scopes of one account that use the key. A scope has no identity and no mode of its own beyond its
 * key URI: with a version it is pinned, without one it is automatic. One that is disabled is moved too, so that enabling
 * it does not bring back an old version. Returns the first outcome that is not done, after all were looked at.
 */
export async function reconcileScopes(
  account: ResourceId,
  location: string,
  reconciliation: Reconciliation,
): Promise<{ seen: number; outcome: Outcome }> {
  const { key, journal, services } = reconciliation;
  const { accounts, pacer, readPacer, now, sleep } = services;
  const scopes: Scope[] = [];
  for await (const scope of accounts.listScopes(account)) scopes.push(scope);
  const begun = new Set(journal.found.flatMap(({ scope }) => scope ?? []));
  for (const name of begun) {
    const scope = scopes.find((listed) => listed.name === name);
    await reconciliation.settle(name, scope && scopeKeyUse(scope));
  }
  await reconciliation.rekey?.sawScopes(new Map(scopes.map((scope) => [scope.name, scopeKeyUse(scope)])));
  const start = now().getTime();
  const cell = pacingCell({ subscriptionId: account.subscriptionId, location });
  const turn = async (): Promise<Outcome | undefined> => {
    const nowMs = now().getTime();
    const waitMs = Math.max(pacer.reserve(cell, nowMs), readPacer.reserve(account.subscriptionId, nowMs));
    if (waitMs <= LONGEST_WAIT_MS) {
      await sleep(waitMs);
      return undefined;
    }
    pacer.release(cell);
    readPacer.release(account.subscriptionId);
    const detail = `The budget of ${cell} is used up for ${Math.ceil(waitMs / 1000)} s.`;
    return { outcome: 'retry', reason: 'Throttled', detail, counts: false, delaySeconds: waitMs / 1000 };
  };
  let seen = 0;
  let outcome: Outcome = DONE;
  for (const scope of scopes) {
    const use = scopeKeyUse(scope);
    if (!usesKey(use, key)) continue;
    seen += 1;
    const isLate = now().getTime() - start > LONGEST_MS || !journal.held();
    const subject = { ...scopeSubject(accounts, account, scope.name), turn };
    const result = isLate ? BUSY : await reconciliation.move(subject, use).catch(outcomeOfFailure);
    if (outcome.outcome === 'done') outcome = result;
    if (isLate) break;
  }
  return { seen, outcome };
}

function scopeSubject(accounts: StorageAccounts, account: ResourceId, name: string): Subject {
  return {
    scope: name,
    async read() {
      let scope: Scope | undefined;
      try {
        scope = await accounts.getScope(account, name);
      } catch (error) {
        if (describeFailure(error).kind === 'notFound') return undefined;
        throw error;
      }
      const use = scope && scopeKeyUse(scope);
      return {
        use,
        async write(pin, to) {
          if (!use) return undefined;
          const key = to ? { vaultUri: to.vault.uri, keyName: to.name } : use;
          return scopeKeyUse(await accounts.updateScopeKey(account, name, formatKeyIdentifier(key, pin)));
        },
      };
    },
  };
}
