/** Health of an account, worst first. */
export const HEALTH_STATES = ['Revoked', 'Blocked', 'NoAccess', 'NotManaged', 'Stale', 'Unknown', 'Serving'] as const;
export type HealthState = (typeof HEALTH_STATES)[number];

/** Descriptions for the OpenAPI document and the page. */
export const HEALTH_MEANINGS: Readonly<Record<HealthState, string>> = {
  Revoked: 'An open revocation keeps its data from being read.',
  Blocked: 'Its key is disabled or gone, or its file or blob service refuses.',
  NoAccess: 'Its identity does not reach the key.',
  NotManaged: 'No key that the app looks after encrypts it.',
  Stale: 'It is not on the newest usable version.',
  Unknown: 'Its health could not be read, or was not checked lately.',
  Serving: 'Nothing is wrong with it.',
};
