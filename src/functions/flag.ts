import { HttpProblem } from '../http/problem.ts';

/**
 * A query parameter that is on or off. Anything but one `true` or `false` is refused: a misspelled `dryRun` must not turn
 * into the real thing.
 *
 * @throws {@link HttpProblem} 400
 */
export function flag(query: URLSearchParams, name: string): boolean {
  for (const other of query.keys()) {
    if (other !== name) throw wrong(`There is no query parameter ${JSON.stringify(other.slice(0, 50))}.`, name);
  }
  const [value = null, ...more] = query.getAll(name);
  if (more.length > 0) throw wrong(`${name} is there more than once.`, name);
  if (value === null || value === 'false') return false;
  if (value === 'true') return true;
  throw wrong(`${name} is neither "true" nor "false".`, name);
}

function wrong(detail: string, name: string): HttpProblem {
  return new HttpProblem(400, 'QueryInvalid', `${detail} Nothing was changed.`, `Send ?${name}=true, or leave it out.`);
}
