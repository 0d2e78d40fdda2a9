/**
 * Where a spreadsheet would begin a formula (OWASP, "CSV Injection"): at the start of a cell, and behind what starts another
 * cell or row in a program that separates cells by `;` (as most of Europe does) or takes a quote in the middle for none.
 * Spaces of every kind, unseen characters and quotes before it do not count; full-width and small forms of the signs do.
 */
const FORMULA =
  /(?:^|[;\t\r\n])[\s\p{Z}\p{C}"'`\u2018-\u201f]*(?=[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b])/gu;
/** A cell that begins so is taken apart by some programs, whatever follows. */
const BREAK_FIRST = /^(?=[\t\r\n])/;

/**
 * A line of CSV, without its end (RFC 4180). Names and reasons are written by others: a spreadsheet would carry out what
 * begins as a formula does, so that an apostrophe goes before it.
 */
export function csvLine(cells: readonly string[]): string {
  const safe = cells.map((cell) => cell.replaceAll(FORMULA, "$&'").replace(BREAK_FIRST, "'"));
  return safe.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',');
}
