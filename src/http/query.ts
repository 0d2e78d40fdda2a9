import { HttpProblem } from './problem.ts';

/** Characters of a query parameter's value at most. */
const MOST_CHARACTERS = 1_000;

/**
 * The query parameters of a call, of which each may be there once.
 *
 * @param names those that the call takes
 * @throws {@link HttpProblem} 400 `QueryInvalid` for any other, one that is there twice, or one that is too long
 */
export function queryOf<N extends string>(query: URLSearchParams, names: readonly N[]): Partial<Record<N, string>> {
  const read: Partial<Record<N, string>> = {};
  for (const [name, value] of query) {
    const known = names.find((one) => one === name);
    const shown = JSON.stringify(name.slice(0, 50));
    if (!known) throw queryInvalid(`There is no query parameter ${shown}.`, `It takes ${names.join(', ')}.`);
    if (read[known] !== undefined) throw queryInvalid(`The query parameter ${shown} is there twice.`, 'Send it once.');
    if (value.length > MOST_CHARACTERS) throw queryInvalid(`The query parameter ${shown} is too long.`, 'Shorten it.');
    read[known] = value;
  }
  return read;
}

export function queryInvalid(detail: string, nextStep: string): HttpProblem {
  return new HttpProblem(400, 'QueryInvalid', detail, nextStep);
}
