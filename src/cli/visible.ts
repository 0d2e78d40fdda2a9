/**
 * Characters that a terminal interprets or does not show: C0 and C1 controls (including escape), directional marks,
 * joiners, zero-width spaces and line separators. Source: Unicode, "Bidirectional algorithm" (UAX 9) and the format
 * characters of its general punctuation block.
 */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression matches control characters.
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/**
 * Escapes text from Azure or from files for a terminal: control characters become `\u001b` and the like. Other people
 * can choose tags and names.
 */
export function visible(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** Like `visible`, for multi-line texts and for JSON, in which the escapes have the same meaning. */
export function visibleLines(text: string): string {
  return text.replace(UNSEEN, (character) => (character === '\n' ? character : escaped(character)));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
