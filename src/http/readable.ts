/** Characters that a call takes of what its caller says, least and most; the command line's as well. */
export const TEXT_LENGTHS = { reason: [3, 500], ticket: [1, 100], revocation: [1, 64] } as const;

/**
 * Joiners, which some scripts cannot do without, and what makes a sign a picture are let through. Some letters are none that
 * can be seen (fillers of Hangul), and a braille pattern without dots is a space.
 */
const UNREADABLE =
  /(?!\u200c|\u200d|\ufe0e|\ufe0f)[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
/** More marks on a letter than any script has would run over the lines above and below. */
const PILED = /\p{M}{9}/u;

/**
 * Words that a person can read: letters or digits, and nothing that hides, reorders or breaks a line of them. What stands
 * in the audit trail must look like what it is.
 */
export function isReadable(said: string): boolean {
  return /[\p{L}\p{N}]/u.test(said) && !UNREADABLE.test(said) && !PILED.test(said);
}

/** The message about a text that cannot be read. */
export const NOT_READABLE =
  'has characters that cannot be read: control characters, line breaks, or text that is invisible';
