import type { KeySummary } from '../api/types.ts';
import { Badge } from '../ui/badge.tsx';
import type { Tone } from '../ui/tone.ts';

const STATES: Readonly<Record<KeySummary['state'], readonly [Tone, string]>> = {
  usable: ['good', 'Usable'],
  revoked: ['bad', 'Revoked'],
  disabled: ['bad', 'Disabled'],
  notYetActive: ['warn', 'Not yet active'],
  expired: ['bad', 'Expired'],
  missing: ['bad', 'Missing in the vault'],
  unknown: ['warn', 'Not known'],
};

export function KeyStateBadge({ state }: { readonly state: KeySummary['state'] }) {
  const [tone, words] = STATES[state];
  return <Badge tone={tone}>{words}</Badge>;
}
