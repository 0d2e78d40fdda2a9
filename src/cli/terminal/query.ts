import { compile, search } from '@jmespath-community/jmespath';
import { CmkError } from '../../errors/errors.ts';
import type { Output, TitledColumn } from './output.ts';

type Json = Parameters<typeof search>[0];

/** Checks a JMESPath query before the command runs: after a change an error comes too late. @throws {@link CmkError} */
export function checkQuery(expression: string): void {
  orFail('ArgumentInvalid', expression, () => compile(expression));
}

/** Prints the result of a query on a command's document. @throws {@link CmkError} `QueryFailed` */
export function printQuery(document: unknown, expression: string, output: Output): void {
  // A round trip through JSON removes undefined fields.
  const json = JSON.parse(JSON.stringify(document)) as Json;
  const value: unknown = orFail('QueryFailed', expression, () => search(json, expression)) ?? null;
  if (output.format === 'json') {
    output.json(value);
  } else {
    const things: readonly unknown[] = Array.isArray(value) ? value : [value];
    output.list(listFieldColumns(things), things);
  }
}

function orFail<T>(reason: 'ArgumentInvalid' | 'QueryFailed', expression: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new CmkError(
      reason,
      `--query "${expression}" cannot be evaluated: ${(error as Error).message}`,
      'Write a JMESPath expression (https://jmespath.org) for the document that -o json prints.',
      { cause: error },
    );
  }
}

/** Returns a column for each field of the items; for lists, a column for each index. */
export function listFieldColumns(things: readonly unknown[]): TitledColumn<unknown>[] {
  const isThing = (thing: unknown): thing is Record<string, unknown> => typeof thing === 'object' && thing !== null;
  const fields = [...new Set(things.filter(isThing).flatMap((thing) => Object.keys(thing)))];
  if (fields.length === 0) return [['VALUE', cell]];
  return fields.map((field) => [field.toUpperCase(), (thing) => cell(isThing(thing) ? thing[field] : thing)]);
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
