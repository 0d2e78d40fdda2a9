import { z } from 'zod';
import { HEALTH_STATES } from '../fleet/health-states.ts';
import { AFTER, FLAG, type QueryOf, queryOf, wholeNumber } from '../http/query.ts';

export const FLEET_PAGE = 200;
const MOST = 1_000;

const filter = (description: string, most = 300) =>
  ({ description, schema: z.string().min(1, 'is empty').max(most, 'is too long').optional(), many: true }) as const;

/** Health states whatever their letter case. */
const health = z.preprocess((text) => {
  const states: readonly string[] = HEALTH_STATES;
  return states.find((state) => state.toLowerCase() === String(text).toLowerCase()) ?? text;
}, z.enum(HEALTH_STATES, `is not one of ${HEALTH_STATES.join(', ')}`).optional());

/** The query of a page of the fleet. */
export const FLEET_QUERY = {
  key: filter('`<key>`, `<vault>/<key>` or an identifier.'),
  vault: filter('Name of a vault.'),
  subscription: filter('Id of a subscription.'),
  resourceGroup: filter('Name of a resource group.'),
  tag: filter('`<name>=<value>`; a name alone: with any value.', 800),
  health: { description: 'How they stand.', schema: health, many: true },
  cause: filter('Id, reason code or label of what is behind it.'),
  all: { description: '`true`: accounts too that use no key and are not missed for it.', schema: FLAG },
  top: {
    description: `Accounts of a page, ${FLEET_PAGE} without it.`,
    schema: wholeNumber(z.int('is not a whole number').min(1, 'is below 1').max(MOST, `is more than ${MOST}`)),
  },
  after: AFTER,
} as const;

export type FleetQuery = QueryOf<typeof FLEET_QUERY>;

/** @throws {@link HttpProblem} `QueryInvalid` */
export function fleetQuery(query: URLSearchParams): FleetQuery {
  return queryOf(query, FLEET_QUERY);
}

/** The query of the page that begins after `after`. */
export function nextFleetQuery(query: FleetQuery, after: string): URLSearchParams {
  const { all, after: _, ...filters } = query;
  const given = Object.entries(filters).flatMap(([name, values]) =>
    [values ?? []].flat().map((value): [string, string] => [name, String(value)]),
  );
  if (all) given.push(['all', 'true']);
  return new URLSearchParams([...given, ['after', after]]);
}
