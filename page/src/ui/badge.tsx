import type { ComponentChildren } from 'preact';
import { Icon } from './icon.tsx';
import type { Tone } from './tone.ts';

export function Badge({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) {
  return (
    <span class={`badge tone-${tone}`}>
      <Icon tone={tone} />
      {children}
    </span>
  );
}
