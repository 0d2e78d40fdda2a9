/**
 * Characters that a terminal interprets or does not show: C0 and C1 controls (including escape), directional marks,
 * joiners, zero-width spaces, line separators, fillers, the blank braille pattern, and tag characters. Source: Unicode,
 * "Bidirectional algorithm" (UAX 9), the format characters of its general punctuation block, and
 * Default_Ignorable_Code_Point.
 */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression matches control characters.
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u2800\u3164\uffa0\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\u034f|\u17b4|\u17b5|\udb40[\udc00-\udfff]/g;

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

/** Escapes each UTF-16 unit, as JSON does. */
function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}
