/** Formats a number with a noun: `1 account`, `2 accounts`. */
export function formatCount(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** Formats a number with a phrase: `1 key is`, `2,000 keys are`. */
export function formatMany(number: number, one: string, several: string): string {
  return `${number.toLocaleString('en')} ${number === 1 ? one : several}`;
}

/** Lists the first names: `a, b and 3 more`. */
export function formatFirst(names: readonly string[], most: number, separator = ', '): string {
  const more = names.length > most ? ` and ${names.length - most} more` : '';
  return `${names.slice(0, most).join(separator)}${more}`;
}

/** Compares two texts by character code, independent of any language. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
