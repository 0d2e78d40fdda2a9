/** Characters that a call takes of what its caller says, least and most; the command line's as well. */
export const TEXT_LENGTHS = { reason: [3, 500], ticket: [1, 100], revocation: [1, 64] } as const;
