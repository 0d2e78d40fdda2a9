import type { FleetFilter, HealthFilter } from '../fleet/fleet-filter.ts';
import { HEALTH_STATES } from '../fleet/health-states.ts';
import { HttpProblem } from '../http/problem.ts';

const PAGE = 200;
const MOST = 1_000;
/** Values of one parameter, and characters of a value. */
const MOST_VALUES = 50;
const LONGEST = 800;

const FILTERS = ['key', 'vault', 'subscription', 'resourceGroup', 'tag'] as const;
const HEALTH_FILTERS = ['health', 'cause'] as const;
const ONCE = ['all', 'top', 'after'] as const;

/** The parsed query. */
interface FleetQuery {
  readonly filter: FleetFilter;
  readonly health: HealthFilter;
  /** Includes accounts that use no key, although no check reports that they should. */
  readonly all: boolean;
  readonly top: number;
  /** Sort key after which the page begins. */
  readonly after: string;
  /** The query without `after`, for the next link. */
  readonly rest: URLSearchParams;
}

/** @throws {@link HttpProblem} `QueryInvalid` */
export function fleetQuery(query: URLSearchParams): FleetQuery {
  const names: readonly string[] = [...FILTERS, ...HEALTH_FILTERS, ...ONCE];
  for (const name of query.keys()) {
    if (!names.includes(name)) throw invalid(`There is no query parameter ${JSON.stringify(name.slice(0, 50))}.`);
  }
  const valuesOf = (name: string): string[] => {
    const values = query.getAll(name);
    const isRight = values.length <= MOST_VALUES && values.every(({ length }) => length > 0 && length <= LONGEST);
    if (!isRight) throw invalid(`The parameter ${name} is empty, too long, or given too often.`);
    return values;
  };
  const twice = ONCE.find((name) => query.getAll(name).length > 1);
  if (twice !== undefined) throw invalid(`The parameter ${twice} is given twice.`);
  const states: readonly string[] = HEALTH_STATES;
  const strange = valuesOf('health').find((one) => !states.some((state) => state.toLowerCase() === one.toLowerCase()));
  if (strange !== undefined) throw invalid(`health is one of ${states.join(', ')}.`);
  const top = query.get('top') ?? String(PAGE);
  if (!/^[1-9]\d{0,3}$/.test(top) || Number(top) > MOST) throw invalid(`top is a number from 1 to ${MOST}.`);
  const withAll = query.get('all') ?? 'false';
  if (withAll !== 'true' && withAll !== 'false') throw invalid('all is true or false.');
  const rest = new URLSearchParams(query);
  rest.delete('after');
  return {
    filter: Object.fromEntries(FILTERS.map((name) => [name, valuesOf(name)])),
    health: Object.fromEntries(HEALTH_FILTERS.map((name) => [name, valuesOf(name)])),
    all: withAll === 'true',
    top: Number(top),
    after: valuesOf('after')[0] ?? '',
    rest,
  };
}

function invalid(detail: string): HttpProblem {
  return new HttpProblem(
    400,
    'QueryInvalid',
    detail,
    'GET /api/openapi.json has the parameters; follow nextLink for more.',
  );
}
