import type { HttpResponseInit } from '@azure/functions';
import { type FilteredUse, matchesFilter, matchesHealth } from '../fleet/fleet-filter.ts';
import type { RouteKey } from '../http/access.ts';
import { conditional, type HeaderReader, jsonResponse } from '../http/answers.ts';
import { partContent } from '../http/part.ts';
import { HttpProblem } from '../http/problem.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { type EvaluatedAccount, sortKeyOf } from './fleet.ts';
import { freshnessOf, toAccountAnswer, toRow, toSummary } from './fleet-answer.ts';
import { FLEET_PAGE, type FleetQuery, nextFleetQuery } from './fleet-query.ts';
import type { FleetAccountAnswer, FleetListAnswer } from './fleet-schemas.ts';
import type { FleetSnapshot, FleetSnapshots } from './fleet-snapshot.ts';
import type { FleetPorts } from './read-fleet.ts';

export interface FleetCall {
  readonly headers: HeaderReader;
  /** Whether the role of the caller reaches a key; without one, the whole fleet. */
  readonly reaches: (key: RouteKey | undefined) => boolean;
  readonly snapshots: FleetSnapshots;
}

/** A page of the fleet. @throws {@link HttpProblem} */
export async function showFleet(query: FleetQuery, call: FleetCall, ports: FleetPorts): Promise<HttpResponseInit> {
  const { health, cause, all, top = FLEET_PAGE, after = '', ...filter } = query;
  const { snapshot, seen } = inReach(await call.snapshots.get(ports), call.reaches);
  const filtered = seen
    .filter((one) => all || isListed(one))
    .filter((one) => filteredUses(one).some((use) => matchesFilter(use, filter)));
  const matched = filtered.filter((one) => matchesHealth(one.health, { health, cause }));
  const page = matched.filter((one) => sortKeyOf(one) > after).slice(0, top + 1);
  const last = page[top - 1];
  const answer: FleetListAnswer = {
    value: page.slice(0, top).map(toRow),
    ...(page.length > top && last ? { nextLink: `/api/fleet?${nextFleetQuery(query, sortKeyOf(last))}` } : {}),
    matched: matched.length,
    summary: toSummary(filtered, snapshot),
    ...freshnessOf(snapshot),
  };
  return withEtag(answer, call.headers);
}

/** One account. @param readHistory called only for an account that the caller may see @throws {@link HttpProblem} 404 */
export async function showFleetAccount(
  name: string,
  readHistory: (account: string) => Promise<FleetAccountAnswer['history']>,
  call: FleetCall,
  ports: FleetPorts,
): Promise<HttpResponseInit> {
  const { snapshot, seen } = inReach(await call.snapshots.get(ports), call.reaches);
  const found = seen.find(({ account }) => account.name.toLowerCase() === name.toLowerCase());
  if (found) {
    const history = await readHistory(found.account.name);
    const answer = { ...toAccountAnswer(found), ...freshnessOf(snapshot) };
    return withEtag({ ...answer, history }, call.headers, { ...answer, history: partContent(history) });
  }
  throw new HttpProblem('NotFound', {
    nextStep:
      'Check the name of the storage account; one that is new is known once a key of it rotates, or after the next drift check.',
  });
}

export function fleetSummaryOf(
  whole: FleetSnapshot,
  reaches: FleetCall['reaches'],
): FleetListAnswer['summary'] & Pick<FleetListAnswer, 'warnings'> {
  const { snapshot, seen } = inReach(whole, reaches);
  return { ...toSummary(seen.filter(isListed), snapshot), warnings: [...snapshot.warnings] };
}

/** Accounts whose keys are all within the role of the caller. */
function inReach(
  snapshot: FleetSnapshot,
  reaches: FleetCall['reaches'],
): { readonly snapshot: FleetSnapshot; readonly seen: readonly EvaluatedAccount[] } {
  if (reaches(undefined)) return { snapshot, seen: snapshot.accounts };
  const reach = new Map<string, boolean>();
  const isReached = (id: string): boolean => {
    const known = reach.get(id);
    if (known !== undefined) return known;
    const key = parseKeyIdentifier(id);
    const answer = key !== undefined && reaches({ vault: key.vaultName, key: key.keyName });
    reach.set(id, answer);
    return answer;
  };
  const seen = snapshot.accounts.filter((one) => {
    const keys = keysOf(one);
    return keys.length > 0 && keys.every(isReached);
  });
  // The warnings name keys that the caller may not see, but the list must not pass for complete.
  const warnings = snapshot.warnings.length > 0 ? ['Part of the fleet could not be read.'] : [];
  // Other subscriptions are not shown either.
  const own = new Set(seen.map(({ account }) => account.subscriptionId.toLowerCase()));
  const listings = new Map([...snapshot.listings].filter(([id]) => own.has(id.toLowerCase())));
  return { snapshot: { ...snapshot, warnings, listings }, seen };
}

/** Whether the account uses a key, or a check reports that it should. */
function isListed(one: EvaluatedAccount): boolean {
  return keysOf(one).length > 0 || one.health.cause !== undefined;
}

function keysOf({ known }: EvaluatedAccount): string[] {
  return [...(known.key === undefined ? [] : [known.key]), ...known.scopeUses.map(({ key }) => key)];
}

/** A filter matches an account by its own use of a key, or by that of a scope. */
function filteredUses(one: EvaluatedAccount): FilteredUse[] {
  const { subscriptionId: subscription, resourceGroup, tags } = one.account;
  return [one.known.key, ...one.known.scopeUses.map(({ key }) => key)].map((key) => ({
    ...{ subscription, resourceGroup, tags },
    key,
  }));
}

/** Adds an ETag, and answers 304 if the caller has it. Only the caller may cache it, and has to revalidate it. */
function withEtag(answer: object, headers: HeaderReader, content = answer): HttpResponseInit {
  const response = jsonResponse(200, answer);
  const kept = { 'cache-control': 'private, no-cache', vary: 'authorization' };
  const sent = { ...response, headers: { ...(response.headers as Record<string, string>), ...kept } };
  return conditional(headers, sent, content);
}
