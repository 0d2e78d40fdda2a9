/**
 * What a terminal acts upon instead of showing it, or shows nothing of: C0 and C1 controls (escape among them), marks of
 * direction, joiners and spaces without a width, and separators of lines. Source: Unicode, "Bidirectional algorithm" (UAX 9)
 * and the format characters of its general punctuation block.
 */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/**
 * Text that came from Azure or from files, for a terminal: what would act on it stands there as `\u001b`. Tags and names are
 * written by others.
 */
export function visible(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** The same for texts of several lines, and for JSON, in which the escapes mean the same characters. */
export function visibleLines(text: string): string {
  return text.replace(UNSEEN, (character) => (character === '\n' ? character : escaped(character)));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
