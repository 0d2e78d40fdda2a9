import type { HealthState } from '../../../src/status/health-states.ts';
import { Badge } from '../ui/badge.tsx';
import type { Tone } from '../ui/tone.ts';

/** The tone and the name of each health state. */
export const HEALTH_WORDS: Readonly<Record<HealthState, readonly [Tone, string]>> = {
  Revoked: ['bad', 'Revoked'],
  Blocked: ['bad', 'Blocked'],
  NoAccess: ['bad', 'No access'],
  NotManaged: ['none', 'Not managed'],
  Stale: ['warn', 'Behind'],
  Unknown: ['warn', 'Not known'],
  Serving: ['good', 'Serving'],
};

export function HealthBadge({ state }: { readonly state: HealthState }) {
  const [tone, words] = HEALTH_WORDS[state];
  return <Badge tone={tone}>{words}</Badge>;
}
