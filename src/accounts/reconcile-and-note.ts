import { describe, describeFailure } from '../azure/failure.ts';
import { parseStorageAccountId, sameResource } from '../azure/resource-id.ts';
import type { Account, Scope } from '../fleet/account.ts';
import type { FleetAccount, FleetChange, FleetIndex, FleetUse, UseRef } from '../fleet/fleet-index.ts';
import { accountKeyUse, type KeyUse, scopeKeyUse } from '../fleet/key-use.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import { formatKeyIdentifier, sameKeyName } from '../keys/key-identifier.ts';
import type { Log, LogRecord } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { hasBeenSince } from '../time/has-been-since.ts';
import { type AccountWork, isByCheck } from '../work/messages.ts';
import type { Outcome } from '../work/outcome.ts';
import { hasNoneSince } from './ask-scopes.ts';
import { changesOf, changesOfAsked, changesOfGone, fleetOutcome, type SeenAccount } from './fleet-entries.ts';
import type { ReconcileServices } from './put-off.ts';
import { reconcileAccount } from './reconcile-account.ts';
import { type Hold, waits } from './rollout.ts';

/** An index that failed is left alone for so long: what is done must not wait for what is written about it. Milliseconds. */
const LEFT_ALONE_MS = 30_000;

/** Looks at one account, and writes down in the fleet index what that has shown: after the work, and never in its way. */
export async function reconcileAndNote(
  work: AccountWork,
  services: ReconcileServices & { readonly fleetNotes: FleetNotes },
  log: Log,
): Promise<Outcome> {
  const hold = await holdOf(work, services, log);
  if (hold) return waits(hold);
  const sighting = new AccountSighting();
  const listening: Log = (record) => {
    sighting.heard(record);
    log(record);
  };
  const outcome = await reconcileAccount(
    work,
    {
      ...services,
      accounts: sighting.watching(services.accounts, services.now),
      knowsNoScopes: () => services.fleetNotes.knowsNoScopes(work, log),
    },
    listening,
  );
  await services.fleetNotes.write(work, sighting, outcome, log);
  return outcome;
}

/** Why the account is not even read now. */
async function holdOf(
  { key: id, account, rekey }: AccountWork,
  { settings, rollout }: Pick<ReconcileServices, 'settings' | 'rollout'>,
  log: Log,
): Promise<Hold | undefined> {
  const key = settings.vaults.key(id);
  if (!key) return undefined;
  const paused = await rollout.paused(key, log);
  if (paused || !parseStorageAccountId(account)) return paused;
  // A re-key has waves of its own, and leaves a key whose rotation may never get further.
  if (rekey !== undefined) return undefined;
  return (await rollout.stage(key, log)).hold(account);
}

/** What calls about one account have shown of it: the newest that was read, or answered to a write. */
export class AccountSighting {
  account: Account | undefined;
  isGone = false;
  /** By name; undefined: they were not listed whole. */
  scopes: Map<string, Scope> | undefined;
  /** When the list of them began. */
  scopesReadOn: Date | undefined;
  readonly #reasons = new Map<string | undefined, Reason>();

  heard({ reason, account, scope }: LogRecord): void {
    if (account !== undefined) this.#reasons.set(scope as string | undefined, reason);
  }

  /** The last that was said of the account itself, or of a scope. */
  reason(scope: string | undefined): Reason | undefined {
    return this.#reasons.get(scope);
  }

  watching(accounts: StorageAccounts, now: () => Date): StorageAccounts {
    const { list, get, updateEncryption, listScopes, getScope, updateScopeKey } = accounts;
    const seen = (account: Account): Account => {
      this.account = account;
      return account;
    };
    const seenScope = <S extends Scope | undefined>(scope: S): S => {
      if (scope) this.scopes?.set(scope.name, scope);
      return scope;
    };
    return {
      list,
      get: async (id) => {
        try {
          return seen(await get(id));
        } catch (error) {
          this.isGone = describeFailure(error).kind === 'notFound';
          throw error;
        }
      },
      updateEncryption: async (id, encryption) => seen(await updateEncryption(id, encryption)),
      listScopes: async function* (this: AccountSighting, ...of: Parameters<StorageAccounts['listScopes']>) {
        const listed = new Map<string, Scope>();
        const readOn = now();
        for await (const scope of listScopes(...of)) {
          listed.set(scope.name, scope);
          yield scope;
        }
        this.scopes = listed;
        this.scopesReadOn = readOn;
      }.bind(this),
      getScope: async (id, scope) => seenScope(await getScope(id, scope)),
      updateScopeKey: async (id, scope, keyUri) => seenScope(await updateScopeKey(id, scope, keyUri)),
    };
  }
}

type NotedIndex = Pick<FleetIndex, 'account' | 'scopeUses' | 'write'>;

/** Writes down what reconciles have shown. One for each instance. */
export class FleetNotes {
  readonly #fleet: NotedIndex;
  readonly #now: () => Date;
  #leftAloneUntilMs = 0;

  constructor({ fleet, now }: { readonly fleet: NotedIndex; readonly now: () => Date }) {
    this.#fleet = fleet;
    this.#now = now;
  }

  /**
   * Whether it need not be asked for its scopes any more. Never throws. The index may be wrong: who has seen a scope by
   * another way, as a drift check, or has to be sure, as a re-key, does not go by it.
   */
  async knowsNoScopes({ account, cause, rekey }: AccountWork, log: Log): Promise<boolean> {
    if (isByCheck(cause) || rekey !== undefined) return false;
    if (this.#now().getTime() < this.#leftAloneUntilMs) return false;
    try {
      return await hasNoneSince(account, cause.since, { fleet: this.#fleet, now: this.#now });
    } catch (error) {
      this.#leaveAlone(error, account, log);
      return false;
    }
  }

  /** Never throws; waits no longer than a few requests to the index may take. */
  async write(work: AccountWork, sighting: AccountSighting, outcome: Outcome, log: Log): Promise<void> {
    const id = parseStorageAccountId(work.account);
    if (!id || this.#now().getTime() < this.#leftAloneUntilMs) return;
    // Put off, or done with, before anything was seen: there is nothing to tell.
    const isPutOff = outcome.outcome === 'retry' && !outcome.counts;
    const isPassedOver = outcome.outcome === 'done' && !sighting.scopes;
    if ((isPutOff || isPassedOver) && !sighting.account && !sighting.isGone) return;
    try {
      const [known, kept] = await Promise.all([this.#fleet.account(id.id), this.#keptScopes(work, sighting)]);
      const changes = changesBy(sighting, work, outcome, known, this.#now());
      const isElsewhere = sighting.isGone && known && !sameResource(known.account, id.id);
      changes.push(...changesOfKept(kept, sighting, this.#now(), isElsewhere ? known.account : undefined));
      if (changes.length > 0) await this.#fleet.write(changes);
    } catch (error) {
      this.#leaveAlone(error, work.account, log);
    }
  }

  /** Scopes that are kept as users of the key, where it has shown whether they are: no other look would come upon them. */
  async #keptScopes({ key, account }: AccountWork, { isGone, scopes }: AccountSighting): Promise<FleetUse[]> {
    const kept: FleetUse[] = [];
    if (isGone || scopes) for await (const use of this.#fleet.scopeUses(key, account)) kept.push(use);
    return kept;
  }

  #leaveAlone(error: unknown, account: string, log: Log): void {
    this.#leftAloneUntilMs = this.#now().getTime() + LEFT_ALONE_MS;
    const message = `${REASONS.FleetIndexUnavailable} ${describe(describeFailure(error))}`;
    log({ level: 'warning', reason: 'FleetIndexUnavailable', message, account });
  }
}

/** What a look at an account's use of a key changes in the index. */
function changesBy(
  sighting: AccountSighting,
  { account: id, key }: AccountWork,
  outcome: Outcome,
  known: FleetAccount | undefined,
  now: Date,
): FleetChange[] {
  const { account, isGone, scopes, scopesReadOn = now } = sighting;
  const own = { key, account: id };
  const outcomeOf = (of: UseRef): FleetChange[] => {
    const said = sighting.reason(of.scope);
    // Nobody wanted to move it: what the last look came to that did is still what is known.
    return said === 'LeftByCheck' ? [] : [{ put: 'outcome', of, outcome: fleetOutcome(outcome, said, now) }];
  };
  if (isGone) {
    // It may have been moved to another resource group, and be known there.
    if (known && !sameResource(known.account, id)) return [];
    return [...(known ? changesOfGone(known) : []), { drop: 'use', of: own }];
  }
  const listed = scopes && [...scopes.values()];
  const seen = account && { account, scopes: listed, scopesReadOn };
  const changes = seen ? [...changesOf(seen, known, now), ...usesOfKey(seen, key, now)] : [];
  // A look for scopes alone: nobody has to ask any more.
  if (!seen && listed && known && !known.scopes) changes.push(...changesOfAsked(known, listed, scopesReadOn));
  const use = account && accountKeyUse(account.encryption);
  // What brought it here may have been wrong about the account.
  if (account && !isOf(use, key)) changes.push({ drop: 'use', of: own });
  else changes.push(...outcomeOf(own));
  for (const scope of scopes?.values() ?? []) {
    if (!isOf(scopeKeyUse(scope), key)) continue;
    changes.push(...outcomeOf({ ...own, scope: scope.name }));
  }
  return changes;
}

/** Of scopes that are kept as users of a key, those that are none, or whose account is elsewhere by now. */
function changesOfKept(
  kept: readonly FleetUse[],
  { isGone, scopes, scopesReadOn }: AccountSighting,
  now: Date,
  elsewhere: string | undefined,
): FleetChange[] {
  const listed = new Map([...(scopes?.values() ?? [])].map((of) => [of.name.toLowerCase(), scopeKeyUse(of)]));
  return kept.flatMap((use): FleetChange[] => {
    if (elsewhere) return [{ put: 'use', use: { ...use, account: elsewhere } }];
    const isThere = !isGone && isOf(listed.get(use.scope?.toLowerCase() ?? ''), use.key);
    // Whoever has seen it since the list of them began knows better.
    const isNewer = !isGone && scopesReadOn && hasBeenSince(use.readOn, scopesReadOn.getTime(), now);
    return isThere || isNewer ? [] : [{ drop: 'use', of: use }];
  });
}

/**
 * The uses of the key as they were seen, whatever is kept of the account: the rows of a use and of its account are written
 * apart, and how far a rotation is goes by the use. Together with the outcome it is one write.
 */
function usesOfKey(seen: SeenAccount, key: string, now: Date): FleetChange[] {
  return changesOf(seen, undefined, now).filter(
    (change) => 'put' in change && change.put === 'use' && sameKeyName(change.use.key, key),
  );
}

function isOf(use: KeyUse | undefined, key: string): boolean {
  return use !== undefined && sameKeyName(formatKeyIdentifier(use), key);
}
