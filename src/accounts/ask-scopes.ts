import { describeFailure, mayPass } from '../azure/failure.ts';
import { parseStorageAccountId, type ResourceId } from '../azure/resource-id.ts';
import { type PacedPlace, pacingCell, type Turns } from '../azure/turns.ts';
import type { Scope } from '../fleet/account.ts';
import type { FleetChange, FleetIndex, UnaskedAccount } from '../fleet/fleet-index.ts';
import { scopeKeyUse } from '../fleet/key-use.ts';
import { hasNoScopes, type StorageAccounts } from '../fleet/storage-client.ts';
import { hasBeenSince } from '../time/has-been-since.ts';
import { ACCOUNT_WORK, type ScopesWork } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { LIST_CALLS, PATIENT_LIST_CALLS } from './dispatcher.ts';
import { changesOfAsked } from './fleet-entries.ts';
import { awaitTurn, putOff, type ReconcileServices, UNSAID_SECONDS } from './put-off.ts';
import { tellingRefusals } from './refusals.ts';

export type AskServices = {
  readonly accounts: StorageAccounts;
  readonly fleet: FleetIndex;
  /** Guards the lists that are asked at once. */
  readonly turns: Turns;
  /** By which the others are handed out: told as well of a list that Azure refuses. */
  readonly schedule: Turns;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
};

/** What asking an account for its scopes has shown. */
interface AskedScopes {
  readonly scopes: readonly Scope[];
  /** To be written down, so that nobody has to ask again. */
  readonly changes: readonly FleetChange[];
}

/**
 * Asks an account for its scopes that use a key; it has none when it is gone.
 *
 * @throws the SDK's error when Azure cannot be asked
 */
export async function askScopes(
  id: ResourceId,
  unasked: UnaskedAccount,
  { now, ...services }: Pick<AskServices, 'accounts' | 'turns' | 'schedule' | 'now'>,
): Promise<AskedScopes> {
  const place = { subscriptionId: id.subscriptionId, location: unasked.location };
  const accounts = tellingRefusals(services.accounts, place, { ...services, now });
  const scopes: Scope[] = [];
  // A scope that is made while they are listed may not be among them.
  const readOn = now();
  try {
    for await (const scope of accounts.listScopes(id)) scopes.push(scope);
  } catch (error) {
    const failure = describeFailure(error);
    if (!hasNoScopes(failure)) throw error;
    // Whether it is gone is for the next listing to tell.
    if (failure.kind === 'notFound') return { scopes, changes: [{ drop: 'unasked', account: id.id }] };
  }
  return { scopes, changes: changesOfAsked(unasked, scopes, readOn) };
}

/**
 * Has a list of scopes wait for its turn.
 *
 * @throws an error that reads as a refusal of Azure's (429), where that is too far away
 */
export function listTurn(services: Pick<AskServices, 'turns' | 'now' | 'sleep'>): (place: PacedPlace) => Promise<void> {
  return async (place) => {
    const { tooFarMs } = await awaitTurn(place, LIST_CALLS, services);
    if (tooFarMs === undefined) return;
    const response = { headers: { 'retry-after': String(Math.ceil(tooFarMs / 1000)) } };
    const error = new Error(`The lists of ${pacingCell(place)} are used up.`);
    throw Object.assign(error, { statusCode: 429, code: 'BudgetUsedUp', response });
  };
}

/**
 * Whether the account was asked for its scopes since then, by whomever, and has none: lists are what Azure takes fewest of,
 * and keys that are looked at together send somebody to each account at the same time. By the clocks of whoever asked and of
 * whoever says since when: what lies within their difference is found by the drift check, as all is that the index has wrong.
 *
 * @throws the SDK's error when the index cannot be read
 */
export async function hasNoneSince(
  account: string,
  since: Date | string,
  { fleet, now }: { readonly fleet: Pick<FleetIndex, 'account'>; readonly now: () => Date },
): Promise<boolean> {
  const known = await fleet.account(account);
  return known?.scopes === 'none' && hasBeenSince(known.scopesReadOn, new Date(since).getTime(), now());
}

/** Asks one account, and puts it to work for each managed key that a scope of it uses: nobody knew of them. */
export async function reconcileUnasked(
  work: ScopesWork,
  services: AskServices & Pick<ReconcileServices, 'random' | 'settings'> & { readonly queue: WorkQueue },
): Promise<Outcome> {
  const { account, location, cause } = work;
  const id = parseStorageAccountId(account);
  if (!id)
    return { outcome: 'reject', reason: 'InvalidMessage', detail: `${account} is not the id of a storage account.` };
  const place = { subscriptionId: id.subscriptionId, location };
  if (await hasNoneSince(account, cause.since, services).catch(() => false)) {
    if (work.turn !== undefined) services.schedule.release(place, PATIENT_LIST_CALLS, work.turn);
    return DONE;
  }
  const { tooFarMs: waitMs } = await awaitTurn(place, PATIENT_LIST_CALLS, services, work.turn);
  if (waitMs !== undefined) {
    const why = `The lists of ${pacingCell(place)} are used up.`;
    return putOff(work, place, PATIENT_LIST_CALLS, { waitMs, why, unused: PATIENT_LIST_CALLS }, services);
  }
  const sinceMs = Math.min(services.now().getTime(), Date.parse(cause.since) || Number.POSITIVE_INFINITY);
  const known = await services.fleet.account(account).catch(() => undefined);
  const unasked = { account, location, ...(known?.key ? { key: known.key } : {}) };
  try {
    const { scopes, changes } = await askScopes(id, unasked, services);
    const uses = scopes.flatMap((scope) => scopeKeyUse(scope) ?? []);
    const keys = uses.flatMap((use) => services.settings.vaults.keyOf(use) ?? []);
    for (const key of new Set(keys.map((one) => one.id))) {
      await services.queue.send(ACCOUNT_WORK, { kind: 'account', account, location, key, cause, attempt: 0 });
    }
    // Only then, so that it is asked again by somebody else should this one be killed.
    await services.fleet.write(changes).catch(() => {});
    return DONE;
  } catch (error) {
    const outcome = outcomeOfFailure(error);
    if (!mayPass(describeFailure(error))) await noteRefused(unasked, sinceMs, services).catch(() => {});
    if (outcome.outcome !== 'retry') return outcome;
    // Its turn has passed, and is not given back once more.
    const next = { ...work, turn: undefined };
    if (outcome.reason !== 'Throttled') return { ...outcome, with: next };
    const wait = { waitMs: (outcome.delaySeconds ?? UNSAID_SECONDS) * 1000, why: outcome.detail };
    return putOff(next, place, PATIENT_LIST_CALLS, wait, services);
  }
}

/**
 * It is tried again, perhaps for hours: nobody else is sent meanwhile, and nothing waits for it as for one under way. Where
 * somebody was answered since the message, or since this look, was begun, there is nothing to note.
 */
async function noteRefused(
  unasked: UnaskedAccount,
  sinceMs: number,
  { fleet, now }: Pick<AskServices, 'fleet' | 'now'>,
): Promise<void> {
  const known = await fleet.account(unasked.account);
  if (!known || hasBeenSince(known.scopesReadOn, sinceMs, now())) return;
  const { key } = known;
  const account = { ...unasked, ...(key ? { key } : {}), sentOn: now().toISOString(), refused: true } as const;
  await fleet.write([{ put: 'unasked', account }]);
}
