/** What a spreadsheet carries out as a formula when a cell begins with it (OWASP, "CSV Injection"); full-width forms too. */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
/** The same behind a semicolon: where that separates cells, as in most of Europe, another cell begins there. */
const FORMULA_BEHIND = /(; *)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

/**
 * A line of CSV, without its end (RFC 4180). Names and reasons are written by others: a spreadsheet would carry out what
 * begins as a formula does, so that a quote goes before it.
 */
export function csvLine(cells: readonly string[]): string {
  const safe = cells.map((cell) => (FORMULA.test(cell) ? `'${cell}` : cell).replaceAll(FORMULA_BEHIND, "$1'"));
  return safe.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',');
}
