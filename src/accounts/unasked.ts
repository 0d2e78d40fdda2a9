import pMap from 'p-map';
import { describeFailure, mayPass } from '../azure/failure.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { pacingCell } from '../azure/turns.ts';
import type { Scope } from '../fleet/account.ts';
import type { FleetChange, UnaskedAccount } from '../fleet/fleet-index.ts';
import { hasBeenSince } from '../time/has-been-since.ts';
import { HOUR_MS } from '../time/spans.ts';
import { type AskServices, askScopes, hasNoneSince } from './ask-scopes.ts';
import { PATIENT_LIST_CALLS } from './dispatcher.ts';
import type { Late, UnreadableScopes } from './inventory.ts';
import { awaitTurn } from './put-off.ts';

/** Accounts whose scopes are asked for at once, per subscription and region; the others wait for their turn in the queue. */
const ASKED_AT_ONCE = 30;
/** Whoever was sent to ask an account's scopes is lost after so long. Milliseconds. */
export const LOST_MS = HOUR_MS;
const CONCURRENCY = 8;

/** What came of asking the accounts that were never asked. */
export interface Asked {
  /** Accounts that are to be asked one by one, as fast as lists are allowed: nobody was sent to them yet. */
  readonly toAsk: readonly UnaskedAccount[];
  readonly unreadable: readonly UnreadableScopes[];
}

/**
 * Asks accounts that were never asked for their encryption scopes: some at once, and the others are told.
 *
 * @param isWanted whether an account is to be asked at all
 * @param found an account with its scopes
 * @throws the SDK's error when the index cannot be read or written
 */
export async function askUnasked(
  services: AskServices & Late,
  isWanted: (account: UnaskedAccount) => boolean,
  found: (account: UnaskedAccount, scopes: readonly Scope[]) => Promise<void>,
): Promise<Asked> {
  const { fleet, now } = services;
  const atOnce: UnaskedAccount[] = [];
  const toAsk: UnaskedAccount[] = [];
  const unreadable: UnreadableScopes[] = [];
  const begunOn = now();
  const lost = begunOn.getTime() - LOST_MS;
  const cells = new Map<string, number>();
  for await (const unasked of fleet.unasked()) {
    if (!isWanted(unasked) || hasBeenSince(unasked.sentOn, lost, begunOn)) continue;
    const cell = cellOf(unasked);
    const before = cells.get(cell) ?? 0;
    cells.set(cell, before + 1);
    (before < ASKED_AT_ONCE ? atOnce : toAsk).push(unasked);
  }
  const refused = new Set<string>();
  const ask = async (unasked: UnaskedAccount): Promise<void> => {
    const id = parseStorageAccountId(unasked.account);
    if (!id) return;
    const place = { subscriptionId: id.subscriptionId, location: unasked.location };
    // Somebody has come to it meanwhile, for a key of its own.
    if (await hasNoneSince(unasked.account, begunOn, services).catch(() => false)) return;
    if (
      services.late() ||
      refused.has(cellOf(unasked)) ||
      (await awaitTurn(place, PATIENT_LIST_CALLS, services)).tooFarMs !== undefined
    ) {
      toAsk.push(unasked);
      return;
    }
    let changes: readonly FleetChange[] = [];
    try {
      const asked = await askScopes(id, unasked, services);
      await found(unasked, asked.scopes);
      ({ changes } = asked);
    } catch (error) {
      const failure = describeFailure(error);
      // One region that throttles is not asked again: asking early only makes the wait longer.
      if (failure.kind === 'throttled') refused.add(cellOf(unasked));
      if (mayPass(failure)) toAsk.push(unasked);
      unreadable.push({ id: id.id, account: { ...id, location: unasked.location }, failure });
    }
    // At once: whoever comes to the account for a key of its own need not ask again.
    await fleet.write(changes);
  };
  const failures: unknown[] = [];
  const askWhileIndexed = async (unasked: UnaskedAccount): Promise<void> => {
    if (failures.length === 0) await ask(unasked).catch((error: unknown) => failures.push(error));
  };
  // All that was begun is over before anything is thrown: nobody would hear that an account which was found is not handed on.
  await pMap(atOnce, askWhileIndexed, { concurrency: CONCURRENCY });
  if (failures.length > 0) throw failures[0];
  return { toAsk, unreadable };
}

/** Notes that somebody is sent to ask them, so that nobody else is. */
export async function markSent(accounts: readonly UnaskedAccount[], { fleet, now }: AskServices): Promise<void> {
  const sentOn = now().toISOString();
  await fleet.write(
    accounts.map(({ refused: _, ...account }) => ({ put: 'unasked', account: { ...account, sentOn } })),
  );
}

function cellOf({ account, location }: UnaskedAccount): string {
  return pacingCell({ subscriptionId: parseStorageAccountId(account)?.subscriptionId ?? '', location });
}
