/** Reason codes of calls of the API, of revocations and of their record: part of those in `reasons.ts`. */
export const BREAK_GLASS_REASONS = {
  CallRefused: 'A call of the HTTP API was refused.',
  CallsRefused: 'More calls of the HTTP API were refused than have a line of their own; this one counts them.',
  CallAnswered: 'A call of the HTTP API was answered.',
  AuthNotConfigured: 'Authentication is not set up; every call of the HTTP API is refused.',
  SigningKeysUnavailable: 'The signing keys of the tenant cannot be fetched; no token can be checked.',
  AuditWritten: 'A record was written to the audit trail; this is its receipt.',
  AuditTrailVerified: 'The audit trail was verified up to this record.',
  AuditTrailBroken: 'Records of the audit trail were changed, removed, moved or put in since the last look.',
  AuditFailed: 'What was done could not be written to the audit trail; this record has it.',
  Revoked: 'Every version of the key is disabled, as a fresh read proves.',
  RevocationIncomplete: 'Not every version is proved to be disabled; the call can be repeated.',
  StillOpen: 'A version of a revoked key could not be disabled.',
  KeptRevoked: 'A version that appeared while the key is revoked was disabled under the same revocation.',
  KeptRevokedUnrecorded:
    'A version of a revoked key was disabled without a record, for want of a tag: a restore leaves it off. Once the key is restored, enable it by hand, or make a new version.',
  RevocationUnbelieved:
    'A version has a record of a revocation that this app cannot have written; it does not count. Look who wrote it, and take the tag away.',
  RestoreBegun: 'A restore begins; should its process die, the app finishes it.',
  RestoreOvertaken: 'It was revoked anew while it was being restored: the newer revocation wins.',
  RestoreFinished: 'A restore that was broken off, or that a late write had undone in part, was finished.',
  OtherRevocation: 'The open revocation is not the one that was to be restored.',
  Restored: 'Everything that the revocation disabled is enabled again.',
  RestoreIncomplete: 'Not everything that the revocation disabled is enabled again; the call can be repeated.',
  NothingToRestore: 'No such revocation is open; nothing was changed.',
  SecondPersonNeeded: 'Whoever revoked cannot restore: it takes a second person.',
  RevokersUnread:
    'More people revoked than the tags of the key can name, and the audit trail, which has all of them, cannot be read; nothing was enabled.',
  ApprovalsGone:
    'Version 2 left work of a request for approval behind; it is dropped, as approval is given in Entra Privileged Identity Management.',
  AuditRecordNotFound: 'There is no such record in the audit trail within reach.',
  QueryInvalid: 'A query parameter is not one that this call takes.',
  ConfirmationWrong: 'The confirmation does not name what the call is about.',
  KeyNotManaged: 'There is no such key that this app looks after.',
  DryRun: 'Nothing was changed: this is what a revocation would do.',
} as const;
