import { z } from 'zod';
import { HttpProblem } from './problem.ts';

/** Characters of a query parameter's value, and values of one that may be given several times, at most. */
const MOST_CHARACTERS = 1_000;
const MOST_VALUES = 50;

/** A parameter of a call: as the document describes it, and as it is checked. */
export interface Parameter {
  readonly description: string;
  readonly schema: z.ZodType;
  /** Of the query: it may be given several times. */
  readonly many?: true;
}

export type ParameterTable = Readonly<Record<string, Parameter>>;

/** The values of a query. */
export type QueryOf<P extends ParameterTable> = {
  readonly [N in keyof P]: P[N] extends { many: true }
    ? readonly NonNullable<z.output<P[N]['schema']>>[]
    : z.output<P[N]['schema']>;
};

/** On or off. Any other value is refused: a misspelled `dryRun` must not turn into the real thing. */
export const FLAG = z
  .enum(['true', 'false'], 'is neither "true" nor "false"')
  .optional()
  .transform((value) => value === 'true');

/** A whole number, as a query has it. */
export const wholeNumber = (schema: z.ZodInt) =>
  z.preprocess((text) => (typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : text), schema.optional());

/** Where a page of a list begins. */
export const AFTER: Parameter & { readonly schema: z.ZodType<string | undefined> } = {
  description: 'Where the page begins, as `nextLink` has it.',
  schema: z.string().max(MOST_CHARACTERS).optional(),
};

/**
 * The query parameters of a call.
 *
 * @param known those that the call takes
 * @throws {@link HttpProblem} 400 `QueryInvalid` for any other, one that is there too often, and one that is wrong
 */
export function queryOf<P extends ParameterTable>(query: URLSearchParams, known: P): QueryOf<P> {
  for (const name of query.keys()) {
    if (Object.hasOwn(known, name)) continue;
    const names = Object.keys(known).join(', ');
    throw queryInvalid(
      `There is no query parameter ${JSON.stringify(name.slice(0, 50))}.`,
      names === '' ? 'The call takes none.' : `It takes ${names}.`,
    );
  }
  const read = Object.entries(known).map(([name, { schema, many }]) => {
    const values = query.getAll(name);
    if (values.length > (many ? MOST_VALUES : 1)) throw queryInvalid(`${name} is there too often.`);
    if (values.some(({ length }) => length > MOST_CHARACTERS)) throw queryInvalid(`${name} is too long.`);
    const checked = (many ? values : [values[0]]).map((value) => {
      const { success, data, error } = schema.safeParse(value);
      if (success) return data;
      throw queryInvalid(`${name} ${error.issues.map(({ message }) => message).join(', ')}.`);
    });
    return [name, many ? checked : checked[0]] as const;
  });
  return Object.fromEntries(read) as QueryOf<P>;
}

export function queryInvalid(detail: string, nextStep?: string): HttpProblem {
  return new HttpProblem('QueryInvalid', { detail, ...(nextStep ? { nextStep } : {}) });
}
