/** Reason codes of answers that refuse a call before it reaches a key. Each text is also the problem's `title`. */
export const HTTP_REASONS = {
  // Who calls
  AuthNotConfigured: 'Authentication is not set up; every call is refused.',
  SigningKeysUnavailable: 'The signing keys of the tenant cannot be fetched; no token can be checked.',
  TokenMissing: 'The call carries no access token.',
  TokenMalformed: 'The Authorization header is not one bearer token.',
  TokenInvalid: 'The access token is not one that the tenant signed.',
  TokenExpired: 'The access token has expired.',
  TokenNotYetValid: 'The access token is not valid yet.',
  TokenOfOtherTenant: 'The access token is of another tenant.',
  TokenForOtherAudience: 'The access token is meant for another API.',
  TokenClaimsMissing: 'The access token lacks what an access token of Entra ID carries.',
  TokenKindUnclear: 'The access token does not say whether a person or an application calls.',
  // What the caller may
  RoleMissing: 'The caller lacks an app role.',
  ClientNotAllowed: 'The access token was got by a client that is not on the list.',
  ScopeMissing: 'The access token lacks the delegated scope of this API.',
  PersonNeeded: 'A key is restored by a person, and not by an application.',
  StepUpNeeded: 'The call takes a stronger sign-in.',
  RoleNarrowed: 'The role of the caller reaches some keys alone.',
  KeyOutOfReach: 'There is no such key within the reach of the role of the caller.',
  RateExceeded: 'The caller makes more calls than this instance takes of one.',
  // What the call carries
  BodyMissing: 'The call needs a JSON body.',
  BodyTypeUnsupported: 'The body is not sent as plain JSON.',
  BodyTooLarge: 'The body is too large.',
  BodyNotJson: 'The body is not well-formed JSON.',
  BodyInvalid: 'The body does not have the fields that this call takes.',
} as const;

export type HttpReason = keyof typeof HTTP_REASONS;
