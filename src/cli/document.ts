import { stringify } from 'yaml';
import type { Output } from './output.ts';
import { query, rowsOf } from './query.ts';

/**
 * Prints the document that a command ends with, or what a query takes out of it.
 *
 * @param shown whether the rows of the command have been shown already, which a query's result takes the place of
 */
export function printDocument(document: unknown, expression: string | undefined, output: Output): void {
  const { format } = output;
  const value = expression === undefined ? document : query(document, expression);
  // Strings in quotes: whatever is in them, they are read as they are.
  if (format === 'yaml')
    output.written(stringify(value, { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' }));
  else if (format === 'json') output.json(value ?? null);
  else if (expression !== undefined) {
    const { titles, rows } = rowsOf(value);
    output.table(
      titles.map((title) => title.toUpperCase()),
      rows,
      Array.isArray(value) ? value : [value ?? null],
    );
  }
}
