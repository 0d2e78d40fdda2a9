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
  const lines = split(text.replace(/^\ufeff/, ''));
  const [head, ...body] = lines.filter(({ cells }) => cells.some((cell) => cell !== ''));
  if (!head) throw invalid(['It is empty: the first line names the columns, `account,vault,key,identity`, say.']);
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

/** Cells in quotes may hold commas, line feeds, and quotes written twice. */
const CELL = /(?:"((?:[^"]|"")*)"[ \t]*|((?!")[^,\r\n]*))(,|\r\n|\n|\r|$)/y;

function split(text: string): { line: number; cells: string[] }[] {
  const rows: { line: number; cells: string[] }[] = [];
  let [at, line] = [0, 1];
  let row = { line, cells: [] as string[] };
  while (at < text.length || row.cells.length > 0) {
    CELL.lastIndex = at + (/^[ \t]*/.exec(text.slice(at, at + 1_000))?.[0].length ?? 0);
    const match = CELL.exec(text);
    if (!match) throw invalid([`line ${line}: a quote is not closed, or something stands behind it`]);
    const [whole, quoted, plain = '', end] = match;
    row.cells.push((quoted?.replaceAll('""', '"') ?? plain).trim());
    at = CELL.lastIndex;
    line += whole.split(/\r\n|\n|\r/).length - 1;
    if (end === ',') continue;
    rows.push(row);
    row = { line, cells: [] };
  }
  return rows;
}
