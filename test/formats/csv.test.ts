import { describe, expect, it } from 'vitest';
import { formatCsvLine } from '../../src/formats/csv.ts';

it.each([
  ['=1+1', "'=1+1"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\t=1', "'\t'=1"],
  ['\r=1', '"\'\r\'=1"'],
  ['＝1', "'＝1"],
  ['﹦1', "'﹦1"],
  ['found;=HYPERLINK(A1)', "found;'=HYPERLINK(A1)"],
  ['a; @b;c', "a; '@b;c"],
  ['"=1"', '"""\'=1"""'],
  ["'=1", "''=1"],
  ['a;"=1"', '"a;""\'=1"""'],
  ['a;\u00a0"\u200b =1', '"a;\u00a0""\u200b \'=1"'],
  ['a\n=1', '"a\n\'=1"'],
  ['a;b=1', 'a;b=1'],
  ['a,"b"\nc', '"a,""b""\nc"'],
  ['=1,2', '"\'=1,2"'],
  ['', ''],
])('a spreadsheet treats %j as text', (cell, written) => {
  expect(formatCsvLine([cell])).toBe(written);
});

/** Cells of a line as a program reads them that separates by `;`, and takes a quote for one at the start of a cell alone. */
function readBySemicolon(line: string): string[] {
  return [...line.matchAll(/(?:^|[;\n])(?:"((?:[^"]|"")*)"([^;\n]*)|([^;\n]*))/g)].map(
    ([, quoted, rest = '', plain = '']) => (quoted === undefined ? plain : quoted.replaceAll('""', '"') + rest),
  );
}

describe('in a program that separates cells by semicolons', () => {
  const spaces = [' ', '\u00a0', '\u2003', '\u3000', '\u200b', '\ufeff', '\u2028', '\t', '\u0000', '\u0085'];
  const lead = ['', ';', ';"', ';""', ";'", '"', '""', '\n', '\r\n"', ...spaces, ...spaces.map((space) => `;${space}`)];

  it.each(lead)('In a program that separates cells by semicolons, no cell begins a formula behind %j', (before) => {
    for (const sign of ['=', '+', '-', '@', '＝']) {
      for (const cells of [
        [`${before}${sign}1`],
        ['name', `x${before}${sign}1`],
        ['name', `${before}${sign}1`, 'x,y'],
      ]) {
        for (const cell of readBySemicolon(formatCsvLine(cells))) {
          expect(/^[\s\p{Z}\p{C}"]*[=+\-@＝]/u.test(cell), `${JSON.stringify(cells)}: ${cell}`).toBe(false);
        }
      }
    }
  });
});
