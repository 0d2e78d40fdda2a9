/** Health of an account, worst first. */
export const HEALTH_STATES = ['Revoked', 'Blocked', 'NoAccess', 'NotManaged', 'Stale', 'Unknown', 'Serving'] as const;
export type HealthState = (typeof HEALTH_STATES)[number];

/** Descriptions for the OpenAPI document and the page. */
export const HEALTH_MEANINGS: Readonly<Record<HealthState, string>> = {
  Revoked: 'An open revocation blocks access to its data.',
  Blocked: 'Its key is disabled or deleted, or its file or blob service rejects requests.',
  NoAccess: 'Its identity cannot access the key.',
  NotManaged: 'It uses no key that the app manages.',
  Stale: 'It does not use the newest usable version of its key.',
  Unknown: 'The app could not read its health, or has not checked it recently.',
  Serving: 'The app found no problem.',
};
