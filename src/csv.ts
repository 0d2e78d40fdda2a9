/** What a spreadsheet carries out as a formula when a cell begins with it (OWASP, "CSV Injection"); full-width forms too. */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;

/**
 * A line of CSV, without its end (RFC 4180). Names and reasons are written by others: a spreadsheet would carry out what
 * begins as a formula does, so that a quote goes before it.
 */
export function csvLine(cells: readonly string[]): string {
  const safe = cells.map((cell) => (FORMULA.test(cell) ? `'${cell}` : cell));
  return safe.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',');
}
