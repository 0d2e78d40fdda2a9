import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { accountsNotListed } from '../accounts/in-sight.ts';
import type { RouteKey } from '../http/access.ts';
import { conditional, type HeaderReader, jsonResponse } from '../http/answers.ts';
import { HttpProblem } from '../http/problem.ts';
import { AFTER, FLAG, type QueryOf, wholeNumber } from '../http/query.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { type EvaluatedAccount, type FleetSnapshot, type FleetSnapshots, sortKeyOf } from './fleet.ts';
import { type FilteredUse, matchesFilter, matchesHealth } from './fleet-filter.ts';
import type { FleetListAnswer, FleetRowAnswer } from './fleet-schemas.ts';
import { summarizeFleet } from './fleet-summary.ts';
import { HEALTH_STATES } from './health-states.ts';
import type { FleetPorts } from './read-fleet.ts';

const FLEET_PAGE = 200;
const MOST = 1_000;

const filter = (description: string, most = 300) =>
  ({ description, schema: z.string().min(1, 'is empty').max(most, 'is too long').optional(), many: true }) as const;

/** Health states, case-insensitive. */
const health = z.preprocess((text) => {
  const states: readonly string[] = HEALTH_STATES;
  return states.find((state) => state.toLowerCase() === String(text).toLowerCase()) ?? text;
}, z.enum(HEALTH_STATES, `is not one of ${HEALTH_STATES.join(', ')}`).optional());

export const FLEET_QUERY = {
  key: filter('`<key>`, `<vault>/<key>` or an identifier.'),
  vault: filter('Name of a vault.'),
  subscription: filter('Id of a subscription.'),
  resourceGroup: filter('Name of a resource group.'),
  tag: filter('`<name>=<value>`; a name without a value matches any value.', 800),
  health: { description: 'Health states to include.', schema: health, many: true },
  cause: filter('Id, reason code or label of the cause.'),
  all: { description: '`true`: also accounts that use no customer-managed key and need none.', schema: FLAG },
  top: {
    description: `Accounts per page; default: ${FLEET_PAGE}.`,
    schema: wholeNumber(z.int('is not a whole number').min(1, 'is below 1').max(MOST, `is more than ${MOST}`)),
  },
  after: AFTER,
} as const;

type FleetQuery = QueryOf<typeof FLEET_QUERY>;

function nextFleetQuery(query: FleetQuery, after: string): URLSearchParams {
  const { all, after: _, ...filters } = query;
  const given = Object.entries(filters).flatMap(([name, values]) =>
    [values ?? []].flat().map((value): [string, string] => [name, String(value)]),
  );
  if (all) given.push(['all', 'true']);
  return new URLSearchParams([...given, ['after', after]]);
}

export interface FleetCall {
  readonly headers: HeaderReader;
  /** Whether the caller's role reaches a key; without a key, whether it reaches the whole fleet. */
  readonly reaches: (key: RouteKey | undefined) => boolean;
  readonly snapshots: FleetSnapshots;
}

/** Returns a page of the fleet. @throws {@link HttpProblem} */
export async function showFleet(query: FleetQuery, call: FleetCall, ports: FleetPorts): Promise<HttpResponseInit> {
  const { health, cause, all, top = FLEET_PAGE, after = '', ...filter } = query;
  const { snapshot, accounts } = inReach(await call.snapshots.get(ports), call.reaches);
  const filtered = accounts
    .filter((one) => all || isListed(one))
    .filter((one) => filteredUses(one).some((use) => matchesFilter(use, filter)));
  const matched = filtered.filter(({ view }) => matchesHealth(view.health, { health, cause }));
  const page = matched.filter((one) => sortKeyOf(one) > after).slice(0, top + 1);
  const last = page[top - 1];
  const answer: FleetListAnswer = {
    value: page.slice(0, top).map(rowOf),
    nextLink: page.length > top && last ? `/api/fleet?${nextFleetQuery(query, sortKeyOf(last))}` : undefined,
    summary: toSummary(filtered, snapshot),
    ...freshnessOf(snapshot),
  };

  return withEtag(answer, call.headers);
}

/** Returns an account. @throws {@link HttpProblem} 404 */
export async function showFleetAccount(name: string, call: FleetCall, ports: FleetPorts): Promise<HttpResponseInit> {
  const { snapshot, accounts } = inReach(await call.snapshots.get(ports), call.reaches);
  const found = accounts.find(({ view }) => view.name.toLowerCase() === name.toLowerCase());
  if (found) return withEtag({ ...found.view, ...freshnessOf(snapshot) }, call.headers);
  throw new HttpProblem('NotFound', {
    nextStep:
      'Check the name of the storage account. The app lists a new account when a key of the account rotates, or at the next drift check.',
  });
}

/** Returns the summary without causes. @param most maximum number of warnings */
export function fleetSummaryOf(whole: FleetSnapshot, reaches: FleetCall['reaches'], most: number) {
  const { snapshot, accounts } = inReach(whole, reaches);
  const { causes: _, moreCauses, ...summary } = toSummary(accounts.filter(isListed), snapshot);
  return { ...summary, warnings: snapshot.warnings.slice(0, most) };
}

/** Accounts whose keys are all in the scope of the caller's role. */
function inReach(
  snapshot: FleetSnapshot,
  reaches: FleetCall['reaches'],
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

/**
 * Adds an ETag, and answers 304 if the caller has the current version. Only the caller may cache the answer, with
 * revalidation.
 */
function withEtag(answer: object, headers: HeaderReader): HttpResponseInit {
  const response = jsonResponse(200, answer);
  const kept = { 'cache-control': 'private, no-cache', vary: 'authorization' };
  const sent = { ...response, headers: { ...(response.headers as Record<string, string>), ...kept } };
  return conditional(headers, sent, answer);
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
    ? `Not known yet: ${accountsNotListed(unlisted)}`
    : `${text}; the other accounts are not known yet`;
}

function freshnessOf({ report, warnings }: FleetSnapshot): Pick<FleetListAnswer, 'freshness' | 'warnings'> {
  const check = report && { id: report.id, startedOn: report.startedOn, complete: report.complete };
  return { freshness: check ? { check } : {}, warnings: [...warnings] };
}
