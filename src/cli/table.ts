/** Gap between two columns. */
const GAP = '  ';
/** Text of an empty cell. */
export const NOTHING = '-';
/** Minimum width of a cut column, unless its title is longer. The first column, the name, is never cut. */
const LEAST = 16;

interface TableLines {
  /** The first line is the header. */
  readonly lines: readonly string[];
  /** Titles of the columns that do not fit the width. */
  readonly omitted: readonly string[];
}

/**
 * Formats a table as lines no wider than the terminal: cuts the widest columns, then omits columns from the right.
 *
 * @param width undefined: unlimited
 */
export function tableLines(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
): TableLines {
  const full = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const least = full.map((wide, column) =>
    column === 0 ? wide : Math.min(wide, Math.max(LEAST, header[column]?.length ?? 0)),
  );
  const total = (widths: readonly number[]): number => widths.reduce((sum, one) => sum + one + GAP.length, -GAP.length);
  const room = width ?? Number.POSITIVE_INFINITY;
  let fitting = header.length;
  while (fitting > 1 && total(least.slice(0, fitting)) > room) fitting -= 1;
  const widths = full.slice(0, fitting);
  for (let over = total(widths) - room; over > 0; ) {
    const spare = widths.map((wide, column) => wide - (least[column] ?? 0));
    const widest = spare.indexOf(Math.max(...spare));
    const cut = Math.min(over, spare[widest] ?? 0);
    if (cut <= 0) break;
    widths[widest] = (widths[widest] ?? 0) - cut;
    over -= cut;
  }
  const line = (cells: readonly string[]): string =>
    widths
      .map((wide, column) => cutTo(cells[column] ?? NOTHING, Math.min(wide, room)).padEnd(wide))
      .join(GAP)
      .trimEnd();
  return { lines: [header, ...rows].map(line), omitted: header.slice(fitting) };
}

function cutTo(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
