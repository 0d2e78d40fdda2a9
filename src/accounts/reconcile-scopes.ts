import { describeFailure } from '../azure/failure.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { type PacedCalls, pacingCell } from '../azure/turns.ts';
import type { Scope } from '../fleet/account.ts';
import { scopeKeyUse, usesKey } from '../fleet/key-use.ts';
import { formatKeyIdentifier } from '../keys/key-identifier.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import { listCalls, MOVE_CALLS } from './dispatcher.ts';
import { awaitTurn, BUSY, putOff, UNSAID_SECONDS } from './put-off.ts';
import type { Reconciliation } from './reconciliation.ts';
import type { Subject } from './subject.ts';

/** No scope is begun later than so many milliseconds after the first one: the rest waits for the next look. */
const LONGEST_MS = 120_000;

/**
 * Moves the encryption scopes of one account that use the key. A scope has no identity and no mode of its own beyond its
 * key URI: with a version it is pinned, without one it is automatic. One that is disabled is moved too, so that enabling
 * it does not bring back an old version. Returns the first outcome that is not done, after all were looked at. Lists are
 * what Azure takes fewest of: where none is to be had soon, the message goes back for the scopes alone.
 */
export async function reconcileScopes(
  account: ResourceId,
  reconciliation: Reconciliation,
): Promise<{ seen: number; outcome: Outcome }> {
  const { key, journal, services, work } = reconciliation;
  const { accounts, now } = services;
  const place = { subscriptionId: account.subscriptionId, location: work.location };
  const toList = listCalls(work);
  const wait = async (calls: PacedCalls, turnMs?: number): Promise<Outcome | undefined> => {
    const { tooFarMs: waitMs } = await awaitTurn(place, calls, services, turnMs);
    return waitMs === undefined
      ? undefined
      : later(waitMs, calls.lists ? 'lists' : 'writes', turnMs === undefined ? undefined : calls);
  };
  const later = (waitMs: number, what: string, unused?: PacedCalls): Outcome => {
    const why = `The ${what} of ${pacingCell(place)} are used up.`;
    return putOff({ ...work, scopes: 'only' }, place, toList, { waitMs, why, unused }, services);
  };
  const begun = new Set(journal.found.flatMap(({ scope }) => scope ?? []));
  const mayPassOver = begun.size === 0;
  // Only here, so that the account itself does not wait for an index that does not answer.
  if (mayPassOver && (work.scopes === 'none' || (await services.knowsNoScopes?.()))) {
    if (work.scopes === 'only' && work.turn !== undefined) services.schedule.release(place, toList, work.turn);
    return { seen: 0, outcome: DONE };
  }
  const notNow = await wait(toList, work.scopes === 'only' ? work.turn : undefined);
  if (notNow) return { seen: 0, outcome: notNow };
  const scopes: Scope[] = [];
  try {
    for await (const scope of accounts.listScopes(account)) scopes.push(scope);
  } catch (error) {
    const { kind, retryAfterSeconds } = describeFailure(error);
    // The account itself is done with.
    if (kind === 'throttled') return { seen: 0, outcome: later((retryAfterSeconds ?? UNSAID_SECONDS) * 1000, 'lists') };
    throw error;
  }
  for (const name of begun) {
    const scope = scopes.find((listed) => listed.name === name);
    await reconciliation.settle(name, scope && scopeKeyUse(scope), scope?.rotatedOn);
  }
  const start = now().getTime();
  let seen = 0;
  let outcome: Outcome = DONE;
  for (const scope of scopes) {
    const use = scopeKeyUse(scope);
    if (!usesKey(use, key)) continue;
    seen += 1;
    const isLate = now().getTime() - start > LONGEST_MS || !journal.held();
    const subject = { ...scopeSubject(account, scope.name, reconciliation), turn: () => wait(MOVE_CALLS) };
    const result = isLate ? BUSY : await reconciliation.move(subject, use).catch(outcomeOfFailure);
    if (outcome.outcome === 'done') {
      outcome = result;
    }
    if (isLate) break;
  }
  return { seen, outcome };
}

function scopeSubject(account: ResourceId, name: string, reconciliation: Reconciliation): Subject {
  const { accounts } = reconciliation.services;
  return {
    scope: name,
    async read() {
      // The record stands on the account, and is there before anything is taken away.
      if (!reconciliation.revoked.isFresh) reconciliation.revoked.see((await accounts.get(account)).tags);
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
        rotatedOn: scope?.rotatedOn,
        revoked: reconciliation.revoked.of(name),
        async write(pin, to) {
          if (!use) return undefined;
          const key = to ? { vaultUri: to.vault.uri, keyName: to.name } : use;
          return scopeKeyUse(await accounts.updateScopeKey(account, name, formatKeyIdentifier(key, pin)));
        },
      };
    },
  };
}
