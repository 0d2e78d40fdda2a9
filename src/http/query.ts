import { z } from 'zod';
import { HttpProblem } from './problem.ts';

/** Maximum length of a query parameter's value, and maximum number of values of a repeatable parameter. */
const MOST_CHARACTERS = 1_000;
const MOST_VALUES = 50;

/** A parameter of a call: its OpenAPI description and its validation. */
export interface Parameter {
  readonly description: string;
  readonly schema: z.ZodType;
  /** The query may repeat the parameter. */
  readonly many?: true;
}

export type ParameterTable = Readonly<Record<string, Parameter>>;

/** Parsed values of a query. */
export type QueryOf<P extends ParameterTable> = {
  readonly [N in keyof P]: P[N] extends { many: true }
    ? readonly NonNullable<z.output<P[N]['schema']>>[]
    : z.output<P[N]['schema']>;
};

/** A boolean. Any other value is rejected, so a misspelled `dryRun` cannot cause a real change. */
export const FLAG = z
  .enum(['true', 'false'], 'is neither "true" nor "false"')
  .optional()
  .transform((value) => value === 'true');

/** An integer in a query. */
export const createWholeNumber = (schema: z.ZodInt) =>
  z.preprocess((text) => (typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : text), schema.optional());

/** Start of a page of a list. */
export const AFTER: Parameter & { readonly schema: z.ZodType<string | undefined> } = {
  description: 'Start of the page, copied from `nextLink`.',
  schema: z.string().max(MOST_CHARACTERS).optional(),
};

/**
 * Parses the query parameters of a call.
 *
 * @param known parameters of the call
 * @throws {@link HttpProblem} 400 `QueryInvalid` for an unknown, repeated or invalid parameter
 */
export function parseCallQuery<P extends ParameterTable>(query: URLSearchParams, known: P): QueryOf<P> {
  for (const name of query.keys()) {
    if (Object.hasOwn(known, name)) continue;
    const names = Object.keys(known).join(', ');
    throw createQueryInvalid(
      `The call has no query parameter ${JSON.stringify(name.slice(0, 50))}.`,
      names === '' ? 'Send the call without query parameters.' : `It has ${names}.`,
    );
  }

  const read = Object.entries(known).map(([name, { schema, many }]) => {
    const values = query.getAll(name);
    if (values.length > (many ? MOST_VALUES : 1)) throw createQueryInvalid(`${name} is repeated too often.`);
    if (values.some(({ length }) => length > MOST_CHARACTERS)) throw createQueryInvalid(`${name} is too long.`);
    const checked = (many ? values : [values[0]]).map((value) => {
      const { success, data, error } = schema.safeParse(value);
      if (success) return data;
      throw createQueryInvalid(`${name} ${error.issues.map(({ message }) => message).join(', ')}.`);
    });
    return [name, many ? checked : checked[0]] as const;
  });

  return Object.fromEntries(read) as QueryOf<P>;
}

export function createQueryInvalid(detail: string, nextStep?: string): HttpProblem {
  return new HttpProblem('QueryInvalid', { detail, ...(nextStep ? { nextStep } : {}) });
}
