import { describeUnlistedAccounts } from '../accounts/in-sight.ts';
import type { RouteKey } from '../http/access.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { type EvaluatedAccount, getSortKey } from './fleet.ts';
import { type FilteredUse, type FleetFilter, type HealthFilter, isFleetMatch, isHealthMatch } from './fleet-filter.ts';
import type { FleetAccountAnswer, FleetListAnswer, FleetRowAnswer } from './fleet-schemas.ts';
import type { FleetSnapshot } from './fleet-snapshots.ts';
import { summarizeFleet } from './fleet-summary.ts';

/** Accounts per page, unless the caller asks for another number. */
export const FLEET_PAGE = 200;

/** Which accounts of the fleet a page lists. */
export interface FleetPage extends FleetFilter, HealthFilter {
  /** Also accounts that use no customer-managed key and need none. */
  readonly all?: boolean | undefined;
  readonly top?: number | undefined;
  /** Sort key of the last account of the page before. */
  readonly after?: string | undefined;
}

/** Whether the caller's role reaches a key; without a key, whether it reaches the whole fleet. */
type Reaches = (key: RouteKey | undefined) => boolean;

/** Lists a page of the accounts that the caller reaches. `next` is the value of `after` for the next page. */
export function listFleet(
  whole: FleetSnapshot,
  reaches: Reaches,
  { health, cause, all, top = FLEET_PAGE, after = '', ...filter }: FleetPage,
): { readonly list: Omit<FleetListAnswer, 'nextLink'>; readonly next: string | undefined } {
  const { snapshot, accounts } = inReach(whole, reaches);
  const filtered = accounts
    .filter((one) => all || isListed(one))
    .filter((one) => filteredUses(one).some((use) => isFleetMatch(use, filter)));

  const matched = filtered.filter(({ view }) => isHealthMatch(view.health, { health, cause }));
  const page = matched.filter((one) => getSortKey(one) > after).slice(0, top + 1);
  const last = page[top - 1];

  const list = {
    value: page.slice(0, top).map(rowOf),
    summary: toSummary(filtered, snapshot),
    ...freshnessOf(snapshot),
  };

  return { list, next: page.length > top && last ? getSortKey(last) : undefined };
}

/** Finds an account by name. @returns undefined if the fleet lacks it, or the caller does not reach it */
export function findFleetAccount(whole: FleetSnapshot, reaches: Reaches, name: string): FleetAccountAnswer | undefined {
  const { snapshot, accounts } = inReach(whole, reaches);
  const found = accounts.find(({ view }) => view.name.toLowerCase() === name.toLowerCase());
  return found && { ...found.view, ...freshnessOf(snapshot) };
}

/** Returns the summary without causes. @param most maximum number of warnings */
export function createFleetSummary(whole: FleetSnapshot, reaches: Reaches, most: number) {
  const { snapshot, accounts } = inReach(whole, reaches);
  const { causes: _, moreCauses, ...summary } = toSummary(accounts.filter(isListed), snapshot);
  return { ...summary, warnings: snapshot.warnings.slice(0, most) };
}

/** Accounts whose keys are all in the scope of the caller's role. */
function inReach(
  snapshot: FleetSnapshot,
  reaches: Reaches,
): { readonly snapshot: FleetSnapshot; readonly accounts: readonly EvaluatedAccount[] } {
  if (reaches(undefined)) return { snapshot, accounts: snapshot.accounts };

  const reach = new Map<string, boolean>();
  const isReached = (id: string): boolean => {
    const known = reach.get(id);
    if (known !== undefined) return known;
    const key = parseKeyIdentifier(id);
    const answer = key !== undefined && reaches({ vault: key.vaultName, key: key.keyName });
    reach.set(id, answer);
    return answer;
  };

  const accounts = snapshot.accounts.filter(({ keys }) => keys.length > 0 && keys.every(isReached));

  // Warnings name keys that the caller may not see. A general warning shows that the list may be incomplete.
  const warnings = snapshot.warnings.length > 0 ? ['The app could not read part of the fleet.'] : [];

  // Also hides other subscriptions.
  const own = new Set(accounts.map(({ view }) => view.subscription.toLowerCase()));
  const listings = new Map([...snapshot.listings].filter(([id]) => own.has(id.toLowerCase())));

  return { snapshot: { ...snapshot, warnings, listings }, accounts };
}

/** Whether the account uses a key, or a check reports that it should. */
function isListed({ view, keys }: EvaluatedAccount): boolean {
  return keys.length > 0 || view.health.cause !== undefined;
}

/** Uses of an account and its scopes; a filter matches an account by any of them. */
function filteredUses({ view, keys }: EvaluatedAccount): FilteredUse[] {
  const { subscription, resourceGroup, tags } = view;
  return (keys.length > 0 ? keys : [undefined]).map((key) => ({ subscription, resourceGroup, tags, key }));
}

/** The account without the fields that only its own page shows. */
function rowOf({ view }: EvaluatedAccount): FleetRowAnswer {
  const { pinned: _, current, identity, lastTry, scopeUses, findings, ...row } = view;
  return row;
}

function toSummary(
  accounts: readonly EvaluatedAccount[],
  { unlisted, listings }: Pick<FleetSnapshot, 'unlisted' | 'listings'>,
): FleetListAnswer['summary'] {
  const { causes, states, text, ...rest } = summarizeFleet(accounts.map(({ view }) => view.health));

  return {
    ...rest,
    text: summaryText(text, rest.accounts, unlisted),
    listed: unlisted === 0,
    subscriptions: { listed: listings.size, all: listings.size + unlisted },
    states: { ...states },
    causes: causes.map((cause) => ({ ...cause, about: [...cause.about] })),
  };
}

/** Summary text that shows when subscriptions are unlisted, because the summary then lacks accounts. */
function summaryText(text: string, accounts: number, unlisted: number): string {
  if (unlisted === 0) return text;
  return accounts === 0
    ? `Not known yet: ${describeUnlistedAccounts(unlisted)}`
    : `${text}; the other accounts are not known yet`;
}

function freshnessOf({ report, warnings }: FleetSnapshot): Pick<FleetListAnswer, 'freshness' | 'warnings'> {
  const check = report && { id: report.id, startedOn: report.startedOn, complete: report.complete };
  return { freshness: check ? { check } : {}, warnings: [...warnings] };
}
