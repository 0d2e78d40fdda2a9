import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { canReachVault, type RouteKey } from '../http/access.ts';
import { answerConditionally, createJsonResponse, type HeaderReader } from '../http/answers.ts';
import { HttpProblem } from '../http/problem.ts';
import { AFTER, createWholeNumber, FLAG, type QueryOf } from '../http/query.ts';
import { FLEET_PAGE, findFleetAccount, listFleet } from '../status/fleet-list.ts';
import { FLEET_ACCOUNT, FLEET_LIST, type FleetListAnswer } from '../status/fleet-schemas.ts';
import type { FleetSnapshots } from '../status/fleet-snapshots.ts';
import { HEALTH_STATES } from '../status/health-states.ts';
import { getPartContent, readVisibleParts, summarizeNow } from '../status/now.ts';
import { NOW, type NowAnswer } from '../status/now-schemas.ts';
import type { FleetPorts } from '../status/read-fleet.ts';
import { type Call, ok, READ, type Route, route } from './route.ts';

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
    schema: createWholeNumber(z.int('is not a whole number').min(1, 'is below 1').max(MOST, `is more than ${MOST}`)),
  },
  after: AFTER,
} as const;

type FleetQuery = QueryOf<typeof FLEET_QUERY>;

export interface FleetCall {
  readonly headers: HeaderReader;
  /** Whether the caller's role reaches a key; without a key, whether it reaches the whole fleet. */
  readonly reaches: (key: RouteKey | undefined) => boolean;
  readonly snapshots: FleetSnapshots;
}

/** Returns a page of the fleet. @throws {@link HttpProblem} */
export async function handleFleet(query: FleetQuery, call: FleetCall, ports: FleetPorts): Promise<HttpResponseInit> {
  const snapshot = await call.snapshots.get(ports);
  const { list, next } = listFleet(snapshot, call.reaches, query);
  const nextLink = next === undefined ? undefined : `/api/fleet?${nextFleetQuery(query, next)}`;
  const answer: FleetListAnswer = { ...list, nextLink };

  return withEtag(answer, call.headers);
}

/** Returns an account. @throws {@link HttpProblem} 404 */
export async function handleFleetAccount(name: string, call: FleetCall, ports: FleetPorts): Promise<HttpResponseInit> {
  const snapshot = await call.snapshots.get(ports);
  const found = findFleetAccount(snapshot, call.reaches, name);
  if (found) return withEtag(found, call.headers);

  throw new HttpProblem('NotFound', {
    nextStep:
      'Check the name of the storage account. The app lists a new account when a key of the account rotates, or at the next drift check.',
  });
}

async function handleNow(call: Call): Promise<HttpResponseInit> {
  const { request, caller, services } = call;
  const visibility = {
    ...call,
    now: services.now(),
    reachesVault: (vault: string) => canReachVault(caller, 'CmkKey.Read', vault, services.settings.access),
    requireFleet: () => call.require(undefined),
  };

  const { steps, ...parts } = await readVisibleParts(services.nowBoard.takers(services), visibility);
  const answer: NowAnswer = { ...summarizeNow(parts), ...parts };
  const content = [...Object.values(parts).map(getPartContent), steps];

  return answerConditionally(request.headers, createJsonResponse(200, answer), content);
}

function nextFleetQuery(query: FleetQuery, after: string): URLSearchParams {
  const { all, after: _, ...filters } = query;
  const given = Object.entries(filters).flatMap(([name, values]) =>
    [values ?? []].flat().map((value): [string, string] => [name, String(value)]),
  );
  if (all) given.push(['all', 'true']);
  return new URLSearchParams([...given, ['after', after]]);
}

/**
 * Adds an ETag, and answers 304 if the caller has the current version. Only the caller may cache the answer, with
 * revalidation.
 */
function withEtag(answer: object, headers: HeaderReader): HttpResponseInit {
  const response = createJsonResponse(200, answer);
  const kept = { 'cache-control': 'private, no-cache', vary: 'authorization' };
  const sent = { ...response, headers: { ...(response.headers as Record<string, string>), ...kept } };
  return answerConditionally(headers, sent, answer);
}

/** Routes of the health and the fleet. */
export const FLEET_ROUTES: readonly Route[] = [
  route({
    id: 'now',
    ...READ,
    path: '/now',
    summary: 'Get the health of the fleet, and the parts that decide it.',
    description:
      'Each part has the time of its read, or the reason why it is missing: `problem` if the read failed or the caller lacks the role, `reading` while the read is in progress. A part shows only items that need attention; the path that it names lists all items. The app caches a part for 5 to 20 seconds, or for as long as its read took.',
    reach: 'handler',
    answers: ok('The health and the parts.', { Now: NOW }),
    conditional: true,
    handle: handleNow,
  }),
  route({
    id: 'fleet',
    ...READ,
    path: '/fleet',
    summary: 'List storage accounts with their key and health, after a summary.',
    description:
      'The app reads the fleet index, the last drift check and the current versions of the keys, and caches them for 15 seconds. The answer has an `ETag`; with `If-None-Match` the app answers 304 while nothing has changed. A caller whose role CMK_ROLE_SCOPES limits sees only accounts whose keys are in its scope.',
    reach: 'handler',
    query: FLEET_QUERY,
    answers: ok('A page of accounts.', { FleetList: FLEET_LIST }),
    conditional: true,
    refusals: ['ServiceUnavailable'],
    handle: (call) => handleFleet(call.query, fleetCall(call), call.services),
  }),
  route({
    id: 'fleetAccount',
    ...READ,
    path: '/fleet/{account}',
    summary: 'Get one storage account: its key, scopes, health and findings, and the time of the last read.',
    reach: 'handler',
    params: { account: { description: 'Name of the storage account.', schema: z.string().regex(/^[0-9a-z]{3,24}$/) } },
    answers: ok('The account.', { FleetAccount: FLEET_ACCOUNT }),
    conditional: true,
    refusals: ['NotFound', 'ServiceUnavailable'],
    handle: (call) => handleFleetAccount(call.request.params.account ?? '', fleetCall(call), call.services),
  }),
];

function fleetCall({ request, reaches, services }: Call): FleetCall {
  return { headers: request.headers, reaches, snapshots: services.fleetSnapshots };
}
