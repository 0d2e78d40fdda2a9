/** What a script sees of a refusal or failure: `cmk` turns it into an exit code, see `cli/exit-codes.ts`. */
type ExitKind = 'incomplete' | 'usage' | 'refused' | 'rights' | 'later' | 'unexpected' | 'interrupted';

/** How the API and the command line report a refusal or failure. */
interface RefusalTexts {
  /** What the code means; the `title` of the API's answer. */
  readonly sentence: string;
  /** What to do; a refusal may override it. */
  readonly nextStep: string;
  /** HTTP status; absent: the API refuses no call for this reason. */
  readonly status?: number;
  /** Absent: `refused`. */
  readonly exit?: ExitKind;
}

const NEW_TOKEN = 'Get a new access token for this API from its own tenant.';
const OWN_SIGN_IN = 'Meanwhile use `cmk key revoke` or `cmk key restore` with your own sign-in.';

/** Every refusal and failure: code, sentence, next step, HTTP status, exit code. This is the only place that words them. */
export const REFUSALS = {
  // Who calls
  AuthNotConfigured: {
    status: 503,
    sentence: 'Authentication is not set up; every call of the HTTP API is refused.',
    nextStep: "Have the app's operator look for AuthNotConfigured in the log.",
  },
  SigningKeysUnavailable: {
    status: 503,
    sentence: 'The signing keys of the tenant cannot be fetched; no token can be checked.',
    nextStep: 'Repeat the call in a few seconds.',
  },
  TokenMissing: {
    status: 401,
    sentence: 'The call carries no access token.',
    nextStep: 'Get a token for this API and send it as "Authorization: Bearer <token>".',
  },
  TokenMalformed: {
    status: 401,
    sentence: 'The Authorization header is not one signed bearer token of reasonable size.',
    nextStep: 'Send one header "Authorization: Bearer <token>" with the token as it was issued.',
  },
  TokenInvalid: {
    status: 401,
    sentence: 'The access token is not one that the tenant signed.',
    nextStep: NEW_TOKEN,
  },
  TokenExpired: { status: 401, sentence: 'The access token has expired.', nextStep: NEW_TOKEN },
  TokenNotYetValid: { status: 401, sentence: 'The access token is not valid yet.', nextStep: NEW_TOKEN },
  TokenOfOtherTenant: { status: 401, sentence: 'The access token is of another tenant.', nextStep: NEW_TOKEN },
  TokenForOtherAudience: { status: 401, sentence: 'The access token is meant for another API.', nextStep: NEW_TOKEN },
  TokenClaimsMissing: {
    status: 401,
    sentence: 'The access token lacks what an access token of Entra ID carries.',
    nextStep: NEW_TOKEN,
  },
  TokenKindUnclear: {
    status: 401,
    sentence: 'The access token does not say whether a person or an application calls.',
    nextStep: NEW_TOKEN,
  },

  // What the caller may do
  RoleMissing: {
    status: 403,
    sentence: 'The caller lacks an app role.',
    nextStep: 'Have the app role assigned in the enterprise application of this API, then get a new token.',
  },
  ClientNotAllowed: {
    status: 403,
    sentence: 'The access token was issued to a client that CMK_CLIENTS does not list.',
    nextStep: 'Get a token with a client that CMK_CLIENTS lists, for instance the Azure CLI.',
  },
  ScopeMissing: {
    status: 403,
    sentence: 'The access token lacks the delegated scope of this API.',
    nextStep: 'Ask for a token with the scope of this API, which infra/entra.sh creates.',
  },
  PersonNeeded: {
    status: 403,
    sentence: 'Only a person may restore a key, not an application.',
    nextStep:
      'Have a person with the app role CmkKey.Restore make this call; CMK_RESTORE_APPLICATIONS names the applications that may.',
  },
  StepUpNeeded: {
    status: 401,
    sentence: 'The call needs a stronger sign-in.',
    nextStep: 'Sign in again with the claims of this answer, and repeat the call.',
  },
  RoleNarrowed: {
    status: 403,
    sentence: 'The role of the caller reaches some keys alone.',
    nextStep: 'Ask for single keys, or have a caller whose role CMK_ROLE_SCOPES does not narrow make this call.',
  },
  KeyOutOfReach: {
    status: 403,
    sentence: "The caller's role reaches no such key.",
    nextStep: 'Check the names of vault and key, and which keys CMK_ROLE_SCOPES lets your role reach.',
  },
  RateExceeded: {
    status: 429,
    sentence: 'The caller makes more calls than this instance accepts from one caller.',
    nextStep: 'Repeat the call later.',
  },

  // What the call carries
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
    nextStep: 'Send only the fields of this call; shorten the longest.',
  },
  BodyNotJson: {
    status: 400,
    sentence: 'The body is not JSON in UTF-8.',
    nextStep: 'Check quotes, commas and brackets of the body; `jq . body.json` shows where it breaks.',
  },
  BodyInvalid: {
    status: 400,
    sentence: 'The body does not have the fields that this call takes.',
    nextStep: 'Correct the fields named in "issues"; openapi.json describes every one.',
  },
  QueryInvalid: {
    status: 400,
    sentence: 'A query parameter is not one that this call takes.',
    nextStep: 'Correct the query; openapi.json describes every parameter.',
  },
  ConfirmationWrong: {
    status: 400,
    exit: 'usage',
    sentence: 'The confirmation does not name what the call is about.',
    nextStep: 'Name the key once more, as `<vault>/<key>`.',
  },
  ArgumentInvalid: {
    exit: 'usage',
    sentence: 'The command cannot be carried out as it is written; nothing was changed.',
    nextStep: 'Correct the command line; --help describes it.',
  },

  // What it is about
  KeyNotManaged: {
    status: 404,
    sentence: 'There is no such key that this app looks after.',
    nextStep: 'Check the names of vault and key; the vault has to be one of CMK_VAULTS.',
  },
  VaultNotManaged: {
    status: 404,
    sentence: 'The key is in a vault that is not in CMK_VAULTS.',
    nextStep: 'Add its vault to CMK_VAULTS again.',
  },
  KeyNotFound: {
    status: 404,
    sentence: 'The key has no version: it does not exist, or was deleted.',
    nextStep: 'Check the names of vault and key.',
  },
  VaultNotFound: {
    status: 404,
    sentence: 'The key vault is gone, or its name does not resolve.',
    nextStep: 'Check the name of the vault.',
  },
  NotFound: {
    status: 404,
    sentence: 'There is no such resource, or the sign-in does not see it.',
    nextStep: 'Check names and subscription.',
  },
  AuditRecordNotFound: {
    status: 404,
    sentence: 'There is no such record in the audit trail within reach.',
    nextStep: 'GET /api/audit has the numbers of the records.',
  },
  RekeyNotFound: {
    status: 404,
    sentence: 'There is no re-key of that id.',
    nextStep: '`cmk rekey list` and GET /api/rekeys name those there are.',
  },
  NoDriftReport: {
    status: 404,
    sentence: 'There is no drift report yet.',
    nextStep: 'Start a check with POST /api/drift; GET /api/drift/history names the reports there are.',
  },
  NotContested: {
    status: 404,
    sentence: 'The app has not stopped repairing the account: there is nothing to release.',
    nextStep: 'GET /api/drift names the contested accounts (ContestedChange).',
  },
  DriftCheckLost: {
    status: 410,
    sentence: 'A drift check ended without a report.',
    nextStep: 'Start another check with POST /api/drift; repeating it does no harm.',
  },

  // Revoking and restoring
  RevocationIncomplete: {
    status: 502,
    exit: 'incomplete',
    sentence: 'Not every version is proved to be disabled; the call can be repeated.',
    nextStep:
      'Repeat the same call: it finishes what is missing. If it stays, disable the versions named with `cmk key revoke` or `az keyvault key set-attributes --enabled false`.',
  },
  SecondPersonNeeded: {
    status: 403,
    sentence: 'The person who revoked a key cannot restore it: it takes a second person.',
    nextStep: 'Ask another person with the app role CmkKey.Restore to restore it.',
  },
  RevokersUnread: {
    status: 503,
    sentence:
      'More people revoked than the tags of the key can name, and the audit trail, which has all of them, cannot be read; nothing was enabled.',
    nextStep:
      'Repeat the call once the audit trail can be read. In an emergency go past the app: `cmk key restore` on your own sign-in does not ask the trail.',
  },
  RevocationUnbelieved: {
    status: 409,
    sentence:
      'A version has a revocation record that this app cannot have written, so the record is ignored. Find out who wrote it, and remove the tag.',
    nextStep:
      'Check the clock: a record of more than six minutes ahead does not count. If it is right, read the tag cmk-revocation of the versions, and enable by hand each version that has to be enabled.',
  },
  OtherRevocation: {
    status: 409,
    sentence: 'The open revocation is another one than the call names.',
    nextStep: "Read the key's status. To restore the open revocation, name its id.",
  },
  RestoreOvertaken: {
    status: 409,
    sentence: 'The key was revoked again while it was being restored: the newer revocation wins.',
    nextStep: 'Find out who revoked the key and why before you restore it.',
  },
  RestoreIncomplete: {
    status: 502,
    exit: 'incomplete',
    sentence: 'Not everything that the revocation disabled is enabled again; the call can be repeated.',
    nextStep: 'Repeat the same call: it enables what is missing, and nothing else.',
  },

  // Standing orders
  KeyDisabled: {
    status: 409,
    sentence: 'The newest version is disabled; a disabled key is not rotated.',
    nextStep: 'Find out who disabled it; then enable it.',
  },
  ImportedKey: {
    status: 409,
    sentence: 'The key is imported key material; a new version has to be imported by hand.',
    nextStep: 'Import the next version: cmk key import.',
  },
  RotationUnknown: {
    status: 502,
    sentence:
      'It is not known whether Key Vault made a new version; its versions are listed again before another is requested.',
    nextStep: 'Repeat it in a minute.',
  },
  RotationIncomplete: {
    status: 502,
    sentence: 'A new version was not given the expiry and the tags of the one before.',
    nextStep: 'Give the version its expiry and its tags: cmk key rotate completes it.',
  },
  RevocationOpen: {
    status: 409,
    sentence: 'The key is revoked: nothing is moved onto or off it until it is restored.',
    nextStep: 'Restore the key first.',
  },
  NoUsableVersion: {
    status: 409,
    sentence: 'No version of the key is enabled, active and unexpired.',
    nextStep: 'Enable a version of the key, or make a new one.',
  },
  NewestVersionUnusable: {
    status: 409,
    sentence:
      'Automatic: the newest version of its key cannot be used, so Storage cannot move to it; nothing was written.',
    nextStep: 'Enable the newest version of the key, or make a new one.',
  },
  RekeyUnfit: {
    status: 409,
    sentence: 'The re-key cannot begin yet; nothing was moved.',
    nextStep: 'Fix what "check" names, and start the re-key again.',
  },
  RekeyConflict: {
    status: 409,
    sentence: 'One of the keys takes part in another re-key.',
    nextStep: 'End the other re-key first.',
  },
  RekeyNotPossible: {
    status: 409,
    sentence: 'A re-key in this state cannot be changed in that way.',
    nextStep: '`cmk rekey show` and GET /api/rekeys/{id} show how far it is.',
  },
  TooManyOrders: {
    status: 409,
    sentence: 'There are already 200 pauses and re-keys, which is the limit.',
    nextStep: 'End pauses and re-keys that are no longer needed.',
  },
  PauseUnreadable: {
    status: 503,
    sentence: 'The app cannot read whether moves are paused; after 30 seconds it moves nothing.',
    nextStep: 'Repeat the call in a minute; if it stays, check the storage account of the app.',
  },

  // Azure, and the app itself
  SettingsInvalid: {
    status: 503,
    exit: 'usage',
    sentence: 'A setting is missing or wrong; nothing is done until it is right.',
    nextStep: "Have the app's operator look for SettingsInvalid in the log.",
  },
  SignInNeeded: { exit: 'rights', sentence: 'You are not signed in to Azure.', nextStep: 'Sign in: az login' },
  MissingPermission: {
    status: 502,
    exit: 'rights',
    sentence: 'The app lacks a permission.',
    nextStep: 'Grant the identity the permission that is named.',
  },
  VaultUnreadable: {
    status: 502,
    exit: 'rights',
    sentence: 'Key Vault refuses to let the app read the key.',
    nextStep: `Give the app's identity its role on the vault again (see docs/how-to/deploy-azd.md). ${OWN_SIGN_IN}`,
  },
  SubscriptionUnreadable: {
    status: 502,
    sentence: 'The storage accounts of a subscription cannot be listed.',
    nextStep: "Give the app's identity its role on the subscription.",
  },
  Refused: { status: 502, sentence: 'Azure refused the request.', nextStep: 'Correct what Azure names here.' },
  Throttled: {
    status: 503,
    exit: 'later',
    sentence: 'The service is throttling; tried again after the time it asked for.',
    nextStep: 'Repeat the call later.',
  },
  ServiceUnavailable: {
    status: 503,
    exit: 'later',
    sentence: 'The service could not be reached or failed; tried again.',
    nextStep: 'Repeat the call in a minute; if it stays, check the storage account of the app.',
  },
  NotPropagated: {
    exit: 'later',
    sentence: 'A new role assignment has not taken effect yet.',
    nextStep: 'Run it again in some minutes.',
  },
  NotProven: {
    exit: 'incomplete',
    sentence: 'Azure accepted the write, but its answer does not show the new version; tried again.',
    nextStep: 'Run it again.',
  },
  QueryFailed: {
    exit: 'incomplete',
    sentence: '--query cannot be applied to the document; the command itself was carried out.',
    nextStep: 'Correct --query.',
  },
  RetirementNotUndone: {
    exit: 'incomplete',
    sentence: 'An old version is disabled although it may be in use: an operator has to enable it at once.',
    nextStep: 'Enable the version.',
  },
  Interrupted: {
    exit: 'interrupted',
    sentence: 'The command was ended before it was done.',
    nextStep: 'Run it again: what is done stays done.',
  },
  Unexpected: {
    status: 500,
    exit: 'unexpected',
    sentence: 'An unexpected error.',
    nextStep: 'Look in the log for the correlation id; the call can be repeated safely.',
  },
} as const satisfies Readonly<Record<string, RefusalTexts>>;

export type Refusal = keyof typeof REFUSALS;

/** How a code is reported; undefined: it refuses nothing. */
export function refusalOf(code: string): RefusalTexts | undefined {
  return Object.hasOwn(REFUSALS, code) ? REFUSALS[code as Refusal] : undefined;
}
