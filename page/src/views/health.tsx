import type { FleetRow } from '../api/types.ts';
import { Badge } from '../ui/badge.tsx';
import type { Tone } from '../ui/tone.ts';

export type HealthState = FleetRow['health']['state'];

export const HEALTH_WORDS: Readonly<Record<HealthState, readonly [Tone, string, string]>> = {
  Revoked: ['bad', 'Revoked', 'An open revocation keeps its data from being read.'],
  Blocked: ['bad', 'Blocked', 'Its key is disabled or gone, or its file service refuses.'],
  NoAccess: ['bad', 'No access', 'Its identity does not reach the key.'],
  NotManaged: ['none', 'Not managed', 'No key that the app looks after encrypts it.'],
  Stale: ['warn', 'Behind', 'It is not on the newest usable version.'],
  Unknown: ['warn', 'Not known', 'What would tell could not be read, or nobody has looked of late.'],
  Serving: ['good', 'Serving', 'Nothing is wrong with it.'],
};

/** Worst first, as the API has them. */
export const HEALTH = Object.keys(HEALTH_WORDS) as readonly HealthState[];

export function HealthBadge({ state }: { readonly state: HealthState }) {
  const [tone, words] = HEALTH_WORDS[state];
  return <Badge tone={tone}>{words}</Badge>;
}
