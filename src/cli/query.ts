import { compile, search } from '@jmespath-community/jmespath';
import { CmkError } from '../errors.ts';
import type { Output } from './output.ts';

type Json = Parameters<typeof search>[0];

/**
 * For before anything is done: a command that has changed something cannot say any more that its command line is not right.
 *
 * @throws {@link CmkError} `ArgumentInvalid` for what is no JMESPath expression (https://jmespath.org)
 */
export function checkQuery(expression: string): void {
  orFail('ArgumentInvalid', expression, () => compile(expression));
}

/** Prints what a query takes out of the document that a command ends with. @throws {@link CmkError} `QueryFailed` */
export function printQuery(document: unknown, expression: string, output: Output): void {
  const value = query(document, expression);
  if (output.format === 'json') {
    output.json(value ?? null);
    return;
  }
  const { titles, rows } = rowsOf(value);
  output.table(
    titles.map((title) => title.toUpperCase()),
    rows,
    Array.isArray(value) ? value : [value ?? null],
  );
}

/**
 * What a JMESPath expression takes out of a document.
 *
 * @throws {@link CmkError} `QueryFailed` where the document is not what the expression takes
 */
function query(document: unknown, expression: string): unknown {
  // Through JSON: what is undefined is not there.
  return orFail('QueryFailed', expression, () => search(JSON.parse(JSON.stringify(document)) as Json, expression));
}

function orFail<T>(reason: 'ArgumentInvalid' | 'QueryFailed', expression: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new CmkError(
      reason,
      `--query "${expression}" cannot be evaluated: ${(error as Error).message}`,
      'It is JMESPath (https://jmespath.org) on the document that -o json prints.',
      { cause: error },
    );
  }
}

/** A value as the rows of a table: one for each thing of a list, with what the thing has as its columns. */
export function rowsOf(value: unknown): { readonly titles: readonly string[]; readonly rows: readonly string[][] } {
  const things = Array.isArray(value) ? value : [value];
  const isThing = (thing: unknown): thing is Record<string, unknown> =>
    typeof thing === 'object' && thing !== null && !Array.isArray(thing);
  const titles = [...new Set(things.filter(isThing).flatMap((thing) => Object.keys(thing)))];
  const rows = things.map((thing) => {
    if (Array.isArray(thing)) return thing.map(cell);
    return isThing(thing) ? titles.map((title) => cell(thing[title])) : [cell(thing)];
  });
  const width = Math.max(1, ...rows.map(({ length }) => length));
  const named =
    titles.length > 0 ? titles : Array.from({ length: width }, (_, at) => (at === 0 ? 'value' : `value ${at + 1}`));
  return { titles: named, rows };
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
