import type { ComponentChildren } from 'preact';
import { Icon, type Tone } from './icon.tsx';

export function Badge({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) {
  return (
    <span class={`badge tone-${tone}`}>
      <Icon tone={tone} />
      {children}
    </span>
  );
}
