/** Between two columns. */
const GAP = '  ';
/** An empty cell. */
export const NOTHING = '-';
/** A column of long texts is not cut below this, nor below its title; the first, which names the thing, not at all. */
const LEAST = 16;

interface TableLines {
  /** The first of them is the header. */
  readonly lines: readonly string[];
  /** Titles of the columns that the width has no room for. */
  readonly omitted: readonly string[];
}

/**
 * A table as lines of text, none of which is wider than the terminal: the widest columns are cut, and columns that still do
 * not fit are left out, the last first.
 *
 * @param width undefined: everything in full
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
