/** How a restore of a key ended. */
export type RestoreEnd =
  /** The last read proves it. */
  | 'restored'
  /** There is no open revocation. */
  | 'nothing'
  /** No valid revocation is open, but there is a record that is damaged, or that this app cannot have written by its clock. */
  | 'unbelieved'
  /** The open revocation is another one than the caller names; nothing was changed. */
  | 'otherRevocation'
  /** This person made the revocation; nothing was changed. */
  | 'secondPerson'
  /** People who revoked are in the audit trail alone, and that cannot be read; nothing was changed. */
  | 'revokersUnread'
  /** A newer revocation began meanwhile and wins: the versions that were enabled are disabled again. */
  | 'overtaken'
  | 'incomplete';

/** Why a restore may not even begin. */
export type RestoreRefusal = Extract<
  RestoreEnd,
  'nothing' | 'unbelieved' | 'otherRevocation' | 'secondPerson' | 'revokersUnread'
>;

/** Whether there is nothing left to restore. */
export function isComplete(end: RestoreEnd): boolean {
  return end === 'restored' || end === 'nothing';
}
