/** Least and most characters of a caller's text, in the API and on the command line. */
export const TEXT_LENGTHS = { reason: [3, 500], ticket: [1, 100], revocation: [1, 64] } as const;

/**
 * Characters that a terminal interprets or does not show: controls, directional marks, line separators, Hangul fillers,
 * which are invisible letters, and the blank braille pattern, which looks like a space. Not emoji selectors.
 */
export const INVISIBLE =
  /(?!\ufe0e|\ufe0f)[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;
/** Allowed in a caller's text, because some scripts need them. */
const JOINERS = /[\u200c\u200d]/g;
/** More combining marks than any script uses, which would cover neighbouring lines. */
const PILED = /\p{M}{9}/u;

/**
 * Whether a text is readable: it has letters or digits, and no invisible, reordering or line-breaking characters.
 * Readers of the audit trail must see exactly the recorded text.
 */
export function isReadable(said: string): boolean {
  const isSeen = said.replace(JOINERS, ' ').search(INVISIBLE) === -1;
  return /[\p{L}\p{N}]/u.test(said) && isSeen && !PILED.test(said);
}

/** Message about an unreadable text. */
export const NOT_READABLE = 'has unreadable characters: control characters, line breaks or invisible text';
