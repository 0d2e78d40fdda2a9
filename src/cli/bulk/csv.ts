import { CsvError, parse } from 'csv-parse/sync';
import { CmkError } from '../../errors.ts';

/** A row of a table in a file, by the titles of its columns, and the line that it starts in. */
export interface CsvRow {
  readonly line: number;
  readonly cells: ReadonlyMap<string, string>;
}

/**
 * Reads CSV (RFC 4180) whose first row has the titles. Space around a cell counts for nothing, and neither do empty lines.
 *
 * @throws {@link CmkError} `ArgumentInvalid` with every line that is not right
 */
export function parseCsv(text: string): { readonly titles: readonly string[]; readonly rows: readonly CsvRow[] } {
  const lines = split(text);
  const [head, ...body] = lines.filter(({ cells }) => cells.some((cell) => cell !== ''));
  if (!head) throw invalid(['It is empty: the first line names the columns, `account,vault,key,identity`, say.']);
  if (head.cells.length === 1 && head.cells[0]?.includes(';')) {
    throw new CmkError('ArgumentInvalid', 'This CSV uses semicolons.', 'Save it with commas, and run it again.');
  }
  const titles = head.cells.map((title) => title.replace(/^--/, '').toLowerCase());
  const twice = titles.filter((title, at) => titles.indexOf(title) !== at);
  const problems = [
    ...twice.map((title) => `line ${head.line}: there are two columns "${title}"`),
    ...body
      .filter(({ cells }) => cells.length !== titles.length)
      .map(
        ({ line, cells }) => `line ${line}: ${cells.length} cells, and the first line names ${titles.length} columns`,
      ),
  ];
  if (problems.length > 0) throw invalid(problems);
  return {
    titles,
    rows: body.map(({ line, cells }) => ({
      line,
      cells: new Map(titles.map((title, at) => [title, cells[at] ?? ''])),
    })),
  };
}

/** What is wrong with a file, all of it at once. */
export function invalid(problems: readonly string[]): CmkError {
  const [first = '', ...more] = problems;
  const message =
    more.length === 0 ? `The file is not right: ${first}` : `The file is not right:\n  ${problems.join('\n  ')}`;
  return new CmkError('ArgumentInvalid', message, 'Correct it, and run it again; nothing was changed.');
}

const OPTIONS = {
  bom: true,
  info: true,
  record_delimiter: ['\r\n', '\n', '\r'],
  relax_column_count: true,
  skip_empty_lines: true,
  trim: true,
};

/** What the parser returns with `info`, which its types do not say. */
interface ParsedRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/** Every row, with the line that it starts in. @throws {@link CmkError} `ArgumentInvalid` */
function split(text: string): { line: number; cells: string[] }[] {
  try {
    const read: unknown = parse(text, OPTIONS);
    return (read as readonly ParsedRecord[]).map(({ record, info }) => {
      const cells = record.map((cell) => cell.trim());
      const breaks = record.join('').split(/\r\n|\n|\r/).length - 1;
      return { line: info.lines - breaks, cells };
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw invalid([`line ${error.lines}: a quote is not closed, or something follows it`]);
  }
}
