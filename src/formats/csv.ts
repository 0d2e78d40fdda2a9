/**
 * Positions where a spreadsheet may read a formula (OWASP, "CSV Injection"): at the start of a cell, and after `;`, a
 * tab or a line break. Programs that separate by `;` (as in most of Europe) or ignore quotes start a cell or row there.
 * Spaces, invisible characters and quotes may precede the sign, which may have its full-width or small form.
 */
const FORMULA =
  /(?:^|[;\t\r\n])[\s\p{Z}\p{C}"'`\u2018-\u201f]*(?=[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b])/gu;
/** Some programs always split a cell that begins with such a character. */
const BREAK_FIRST = /^(?=[\t\r\n])/;

/**
 * Formats a line of CSV without its line end (RFC 4180). Other people write names and reasons, so the function puts an
 * apostrophe before text that a spreadsheet would run as a formula.
 */
export function formatCsvLine(cells: readonly string[]): string {
  const safe = cells.map((cell) => cell.replaceAll(FORMULA, "$&'").replace(BREAK_FIRST, "'"));
  return safe.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',');
}
