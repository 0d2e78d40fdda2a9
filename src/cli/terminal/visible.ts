import { INVISIBLE } from '../../http/readable.ts';

/**
 * Escapes text from Azure or from files for a terminal: control characters become `\u001b` and the like. Other people
 * can choose tags and names.
 */
export function escapeText(text: string): string {
  return text.replace(INVISIBLE, escaped);
}

/** Like `escapeText`, for multi-line texts and for JSON, in which the escapes have the same meaning. */
export function escapeLines(text: string): string {
  return text.replace(INVISIBLE, (character) => (character === '\n' ? character : escaped(character)));
}

/** Escapes each UTF-16 unit, as JSON does. */
function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}
