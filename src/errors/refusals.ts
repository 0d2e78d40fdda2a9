/** Kind of a rejection or failure for scripts: `cmk` converts it to an exit code (`cli/exit-codes.ts`). */
type ExitKind = 'incomplete' | 'usage' | 'refused' | 'rights' | 'later' | 'unexpected' | 'interrupted';

/** Texts with which the API and the command line report a rejection or failure. */
interface RefusalTexts {
  /** Meaning of the code; the `title` of the API's answer. */
  readonly sentence: string;
  /** Next step; a rejection may override it. */
  readonly nextStep: string;
  /** HTTP status; absent: the API never uses this code. */
  readonly status?: number;
  /** Absent: `refused`. */
  readonly exit?: ExitKind;
}

const NEW_TOKEN = 'Get a new access token for this API from its own tenant.';
const OWN_SIGN_IN = 'Meanwhile use `cmk key revoke` or `cmk key restore` with your own sign-in.';

/** Every rejection and failure: code, sentence, next step, HTTP status, exit code. Only this table has their texts. */
export const REFUSALS = {
  // Authentication
  AuthNotConfigured: {
    status: 503,
    sentence: 'Authentication is not configured, so the app rejects every call of the HTTP API.',
    nextStep: "Ask the app's operator to search the log for AuthNotConfigured.",
  },
  SigningKeysUnavailable: {
    status: 503,
    sentence: 'The app could not fetch the signing keys of the tenant, so it cannot validate tokens.',
    nextStep: 'Repeat the call in a few seconds.',
  },
  TokenMissing: {
    status: 401,
    sentence: 'The call has no access token.',
    nextStep: 'Get a token for this API and send it as "Authorization: Bearer <token>".',
  },
  TokenMalformed: {
    status: 401,
    sentence: 'The Authorization header is not a single signed bearer token of normal size.',
    nextStep: 'Send one header "Authorization: Bearer <token>" with the unchanged token.',
  },
  TokenInvalid: {
    status: 401,
    sentence: 'The tenant did not sign the access token.',
    nextStep: NEW_TOKEN,
  },
  TokenExpired: { status: 401, sentence: 'The access token has expired.', nextStep: NEW_TOKEN },
  TokenNotYetValid: { status: 401, sentence: 'The access token is not valid yet.', nextStep: NEW_TOKEN },
  TokenOfOtherTenant: { status: 401, sentence: 'Another tenant issued the access token.', nextStep: NEW_TOKEN },
  TokenForOtherAudience: { status: 401, sentence: 'The access token is for another API.', nextStep: NEW_TOKEN },
  TokenClaimsMissing: {
    status: 401,
    sentence: 'The access token lacks claims that every access token of Entra ID has.',
    nextStep: NEW_TOKEN,
  },
  TokenKindUnclear: {
    status: 401,
    sentence: 'The access token does not show whether the caller is a person or an application.',
    nextStep: NEW_TOKEN,
  },

  // Authorization
  RoleMissing: {
    status: 403,
    sentence: 'The caller lacks an app role.',
    nextStep: 'Have the app role assigned in the enterprise application of this API, then get a new token.',
  },
  ClientNotAllowed: {
    status: 403,
    sentence: 'The access token was issued to a client that CMK_CLIENTS does not list.',
    nextStep: 'Get a token with a client in CMK_CLIENTS, for instance the Azure CLI.',
  },
  ScopeMissing: {
    status: 403,
    sentence: 'The access token lacks the delegated scope of this API.',
    nextStep: 'Request a token with the scope of this API, which infra/entra.sh creates.',
  },
  PersonNeeded: {
    status: 403,
    sentence: 'Only a person may restore a key, not an application.',
    nextStep:
      'Ask a person with the app role CmkKey.Restore to make this call, or add the application to CMK_RESTORE_APPLICATIONS.',
  },
  StepUpNeeded: {
    status: 401,
    sentence: 'The call needs a stronger sign-in.',
    nextStep: 'Sign in again with the claims of this answer, and repeat the call.',
  },
  RoleNarrowed: {
    status: 403,
    sentence: 'The role of the caller reaches only some keys.',
    nextStep: 'Name a single key, or ask a caller whose role CMK_ROLE_SCOPES does not limit to make this call.',
  },
  KeyOutOfReach: {
    status: 403,
    sentence: "The caller's role does not reach such a key.",
    nextStep: 'Check the names of vault and key, and the keys of your role in CMK_ROLE_SCOPES.',
  },
  RateExceeded: {
    status: 429,
    sentence: 'The caller makes more calls than this instance accepts from one caller.',
    nextStep: 'Repeat the call later.',
  },

  // Body and query
  BodyMissing: {
    status: 400,
    sentence: 'The call needs a JSON body.',
    nextStep: 'Send the fields of this call as a JSON object.',
  },
  BodyTypeUnsupported: {
    status: 415,
    sentence: 'The body must be JSON in UTF-8, not compressed.',
    nextStep: 'Send the header "Content-Type: application/json" and no "Content-Encoding".',
  },
  BodyTooLarge: {
    status: 413,
    sentence: 'The body is too large.',
    nextStep: 'Send only the fields of this call, and shorten the longest field.',
  },
  BodyNotJson: {
    status: 400,
    sentence: 'The body is not JSON in UTF-8.',
    nextStep: 'Check quotes, commas and brackets of the body; `jq . body.json` shows the error.',
  },
  BodyInvalid: {
    status: 400,
    sentence: 'The body does not have the fields that this call requires.',
    nextStep: 'Correct the fields in "issues"; openapi.json describes every field.',
  },
  QueryInvalid: {
    status: 400,
    sentence: 'A query parameter is unknown, repeated or invalid.',
    nextStep: 'Correct the query; openapi.json describes every parameter.',
  },
  ConfirmationWrong: {
    status: 400,
    exit: 'usage',
    sentence: 'The confirmation does not name the key of the call.',
    nextStep: 'Repeat the name of the key, as `<vault>/<key>`.',
  },
  ArgumentInvalid: {
    exit: 'usage',
    sentence: 'The command line is invalid; the command changed nothing.',
    nextStep: 'Correct the command line; --help describes it.',
  },

  // Resource
  KeyNotManaged: {
    status: 404,
    sentence: 'This app manages no such key.',
    nextStep:
      'Check the names of vault and key, and whether the key was deleted (`az keyvault key list-deleted`); CMK_VAULTS must list the vault.',
  },
  VaultNotManaged: {
    status: 404,
    sentence: 'The key is in a vault that is not in CMK_VAULTS.',
    nextStep: 'Add the vault to CMK_VAULTS again.',
  },
  KeyNotFound: {
    status: 404,
    sentence: 'The key has no version: the key does not exist or was deleted.',
    nextStep: 'Check the names of vault and key.',
  },
  VaultNotFound: {
    status: 404,
    sentence: 'The key vault does not exist, or its name does not resolve.',
    nextStep: 'Check the name of the vault.',
  },
  NotFound: {
    status: 404,
    sentence: 'The resource does not exist, or the sign-in has no read access to it.',
    nextStep: 'Check names and subscription.',
  },
  AuditRecordNotFound: {
    status: 404,
    sentence: 'The audit trail has no such record that the caller may read.',
    nextStep: 'GET /api/audit lists the numbers of the records.',
  },
  RekeyNotFound: {
    status: 404,
    sentence: 'No re-key has this id.',
    nextStep: '`cmk rekey list` and GET /api/rekeys list the re-keys.',
  },
  NoDriftReport: {
    status: 404,
    sentence: 'The app has no drift report yet.',
    nextStep: 'Start a check with POST /api/drift; GET /api/drift/history lists the reports.',
  },
  NotContested: {
    status: 404,
    sentence: 'The app has not stopped repairing the account, so the account needs no release.',
    nextStep: 'GET /api/drift lists the contested accounts (ContestedChange).',
  },
  DriftCheckLost: {
    status: 410,
    sentence: 'A drift check ended without a report.',
    nextStep: 'Start another check with POST /api/drift; repeating a check is safe.',
  },

  // Revoke and restore
  RevocationIncomplete: {
    status: 502,
    exit: 'incomplete',
    sentence: 'The app could not confirm that every version is disabled. You can repeat the call.',
    nextStep:
      'Repeat the same call: it disables the remaining versions. If it fails again, disable the listed versions with `cmk key revoke` or `az keyvault key set-attributes --enabled false`.',
  },
  VaultReadOnly: {
    status: 409,
    exit: 'incomplete',
    sentence:
      'The vault answers reads but rejects every update of the key, as it does while its region is failed over. No version is disabled.',
    nextStep:
      'Remove the role of the identity of each account that depends on the key: `cmk account revoke` with `--shared`. After the failback, revoke the key too.',
  },
  SecondPersonNeeded: {
    status: 403,
    sentence: 'The person who revoked a key cannot restore it: dual control requires a second person.',
    nextStep: 'Ask another person with the app role CmkKey.Restore to restore it.',
  },
  RevokersUnread: {
    status: 503,
    sentence:
      'The tags of the key cannot name everyone who revoked it, and the app could not read the complete list in the audit trail. The app enabled nothing.',
    nextStep:
      'Repeat the call when the audit trail is available. In an emergency, bypass the app: `cmk key restore` with your own sign-in does not read the trail.',
  },
  RevocationUnbelieved: {
    status: 409,
    sentence:
      'A version has a revocation record that this app cannot have written, so the app ignores the record. Determine who wrote it, and remove the tag.',
    nextStep:
      'Check the clock: the app ignores a record that is more than six minutes in the future. If the clock is right, read the tag cmk-revocation of the versions, and enable the required versions manually.',
  },
  OtherRevocation: {
    status: 409,
    sentence: 'The open revocation differs from the revocation that the call names.',
    nextStep: "Read the key's status. To restore the open revocation, name its id.",
  },
  RestoreOvertaken: {
    status: 409,
    sentence: 'The key was revoked again during the restore: the newer revocation wins.',
    nextStep: 'Ask who revoked the key and why, before you restore it.',
  },
  RestoreIncomplete: {
    status: 502,
    exit: 'incomplete',
    sentence: 'Some versions that the revocation disabled are not enabled again. You can repeat the call.',
    nextStep: 'Repeat the same call: it enables only the remaining versions.',
  },

  // Standing orders
  KeyDisabled: {
    status: 409,
    sentence: 'The newest version is disabled, and the app does not rotate a disabled key.',
    nextStep:
      'Ask who disabled the version and why before you enable it: the log of the vault and `cmk audit list` tell. If the key was revoked, restore it.',
  },
  ImportedKey: {
    status: 409,
    sentence: 'The key is imported key material, so an operator must import a new version.',
    nextStep: 'Import the next version: cmk key import.',
  },
  RotationUnderWay: {
    status: 409,
    exit: 'later',
    sentence: 'Another rotation of the key is in progress.',
    nextStep: 'Repeat the call in a minute: a version that is younger than an hour counts as its result.',
  },
  RotationUnknown: {
    status: 502,
    sentence:
      'The app cannot tell whether Key Vault created a new version. It lists the versions again before it requests another version.',
    nextStep: 'Repeat the rotation in a minute.',
  },
  RotationIncomplete: {
    status: 502,
    sentence: 'A new version lacks the expiry and the tags of the previous version.',
    nextStep: 'Run cmk key rotate, which sets the expiry and the tags of the version.',
  },
  RevocationOpen: {
    status: 409,
    sentence: 'The key is revoked: the app moves no account to or from the key until it is restored.',
    nextStep: 'Restore the key first.',
  },
  NoUsableVersion: {
    status: 409,
    sentence: 'No version of the key is enabled, active and unexpired.',
    nextStep: 'Enable a version of the key, or create a new version.',
  },
  NewestVersionUnusable: {
    status: 409,
    sentence:
      'The account uses automatic mode, and the newest version of its key is unusable, so Storage cannot move to that version. The app wrote nothing.',
    nextStep: 'Enable the newest version of the key, or create a new version.',
  },
  RekeyUnfit: {
    status: 409,
    sentence: 'The re-key cannot start yet; the app moved nothing.',
    nextStep: 'Fix the problems in "check", then start the re-key again.',
  },
  RekeyConflict: {
    status: 409,
    sentence: 'One of the keys takes part in another re-key.',
    nextStep: 'End the other re-key first.',
  },
  RekeyNotPossible: {
    status: 409,
    sentence: 'The state of the re-key does not allow this change.',
    nextStep: '`cmk rekey show` and GET /api/rekeys/{id} show its state.',
  },
  TooManyOrders: {
    status: 409,
    sentence: 'The app has reached its limit of 200 pauses and re-keys.',
    nextStep: 'End pauses and re-keys that are no longer needed.',
  },
  PauseUnreadable: {
    status: 503,
    sentence: 'The app cannot read whether moves are paused, so after 30 seconds it stops moving accounts.',
    nextStep: 'Repeat the call in a minute; if it fails again, check the storage account of the app.',
  },

  // Azure and the app
  SettingsInvalid: {
    status: 503,
    exit: 'usage',
    sentence: 'A setting is missing or invalid; the app does nothing until it is corrected.',
    nextStep: "Ask the app's operator to search the log for SettingsInvalid.",
  },
  SignInNeeded: { exit: 'rights', sentence: 'You are not signed in to Azure.', nextStep: 'Sign in: az login' },
  MissingPermission: {
    status: 502,
    exit: 'rights',
    sentence: 'The app lacks a permission.',
    nextStep: 'Grant the named permission to the identity.',
  },
  VaultUnreadable: {
    status: 502,
    exit: 'rights',
    sentence: 'The app cannot read the key: Key Vault denies access or does not answer.',
    nextStep: `If access is denied, assign the app's identity its role on the vault again (see docs/how-to/deploy-azd.md). ${OWN_SIGN_IN}`,
  },
  SubscriptionUnreadable: {
    status: 502,
    sentence: 'The app could not list the storage accounts of a subscription.',
    nextStep: "Assign the app's identity its role on the subscription.",
  },
  Refused: {
    status: 502,
    sentence: 'Azure rejected the request.',
    nextStep: "Correct the problem in Azure's message.",
  },
  Throttled: {
    status: 503,
    exit: 'later',
    sentence: 'The service is throttling; the app retries after its Retry-After.',
    nextStep: 'Repeat the call later.',
  },
  ServiceUnavailable: {
    status: 503,
    exit: 'later',
    sentence: 'The service was unreachable or failed; the app retries.',
    nextStep: 'Repeat the call in a minute; if it fails again, check the storage account of the app.',
  },
  NotPropagated: {
    exit: 'later',
    sentence: 'A new role assignment has not taken effect yet.',
    nextStep: 'Repeat the call or command in a few minutes.',
  },
  NotProven: {
    exit: 'incomplete',
    sentence: 'Azure accepted the write, but its answer does not show the new version; the app retries.',
    nextStep: 'Repeat the command.',
  },
  DrillUnproven: {
    exit: 'incomplete',
    sentence: 'A drill did not see the effect of a change in time.',
    nextStep: 'Find the cause before an incident, and run the drill again.',
  },
  QueryFailed: {
    exit: 'incomplete',
    sentence: 'The command succeeded, but --query does not fit its output.',
    nextStep: 'Correct --query.',
  },
  RetirementNotUndone: {
    exit: 'incomplete',
    sentence: 'An old version is disabled although accounts may use it: an operator must enable it immediately.',
    nextStep: 'Enable the version.',
  },
  Interrupted: {
    exit: 'interrupted',
    sentence: 'The command was interrupted.',
    nextStep: 'Run the command again: it continues after the completed steps.',
  },
  Unexpected: {
    status: 500,
    exit: 'unexpected',
    sentence: 'An unexpected error occurred.',
    nextStep: 'Search the log for the correlation id. You can safely repeat the call.',
  },
} as const satisfies Readonly<Record<string, RefusalTexts>>;

export type Refusal = keyof typeof REFUSALS;

/** Texts of a code; undefined: the code is no rejection. */
export function findRefusal(code: string): RefusalTexts | undefined {
  return Object.hasOwn(REFUSALS, code) ? REFUSALS[code as Refusal] : undefined;
}
