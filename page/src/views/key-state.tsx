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

const RANKS: readonly Tone[] = ['bad', 'warn'];

/** Revoked and disabled keys first; the others stay in order. */
export function worstFirst<K extends Pick<KeySummary, 'state'>>(keys: readonly K[]): readonly K[] {
  const rank = ({ state }: K) => (RANKS.indexOf(STATES[state][0]) + RANKS.length + 1) % (RANKS.length + 1);
  return keys.toSorted((a, b) => rank(a) - rank(b));
}

export function KeyStateBadge({ state }: { readonly state: KeySummary['state'] }) {
  const [tone, words] = STATES[state];
  return <Badge tone={tone}>{words}</Badge>;
}
