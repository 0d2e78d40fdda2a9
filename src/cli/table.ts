import { visible } from './visible.ts';

/** Between two columns. */
const GAP = '  ';
/** An empty cell. */
export const NOTHING = '-';

/**
 * A table as lines of text, the first of them its header. Columns that do not fit into the width stand below their row,
 * each with its title.
 *
 * @param width columns of the terminal
 * @param whole columns whose texts are not folded: a command in two lines is two commands
 */
export function tableLines(
  header: readonly string[],
  texts: readonly (readonly string[])[],
  width: number,
  whole: ReadonlySet<number> = new Set(),
): string[] {
  // Before they are measured: what is not seen has no width.
  const rows = texts.map((row) => row.map(visible));
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const fitting = Math.max(
    1,
    widths.filter((_, column) => sum(widths.slice(0, column + 1)) + GAP.length * column <= width).length,
  );
  const line = (cells: readonly string[]): string =>
    cells
      .slice(0, fitting)
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd();
  const titles = header.slice(fitting);
  const titleWidth = Math.max(0, ...titles.map((title) => title.length));
  return [
    line(header),
    ...rows.flatMap((row) => [
      line(row),
      ...titles.flatMap((title, index) => {
        const text = row[fitting + index] ?? NOTHING;
        // In a column of its own it would be seen that there is nothing; below its row it is in the way.
        if (text === NOTHING) return [];
        const lead = `${GAP}${title.padEnd(titleWidth)}${GAP}`;
        return whole.has(fitting + index) ? [lead + text] : hanging(lead, text, width);
      }),
    ]),
  ];
}

/** Words in lines of at most so many characters; a word that is longer has a line of its own. */
function fold(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function hanging(lead: string, text: string, width: number): string[] {
  return fold(text, width - lead.length).map((line, index) => (index === 0 ? lead : ' '.repeat(lead.length)) + line);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
