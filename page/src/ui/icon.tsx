import type { Tone } from './tone.ts';

const PATHS: Readonly<Record<Tone, string>> = {
  good: 'M3.5 8.5l3 3 6-7',
  warn: 'M8 2.5l6 11H2zM8 6.5v3.5M8 11.8v.4',
  bad: 'M4 4l8 8M12 4l-8 8',
  info: 'M8 7.2V12M8 4v.6',
  none: 'M4 8h8',
};

/** A shape for each tone, so that its meaning does not depend on colour alone. */
export function Icon({ tone }: { readonly tone: Tone }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[tone]} />
    </svg>
  );
}
