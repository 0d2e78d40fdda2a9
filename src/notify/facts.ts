import type { Notification } from './notification.ts';

/** Fields for programs, which are not shown in a channel. */
const FOR_PROGRAMS = new Set(['client', 'correlationId', 'why', 'byKind', 'report']);

/** Returns the single values of a notification with labels: `leftToStorage` becomes `Left to storage`. */
export function factsOf({ data, time }: Notification): { readonly name: string; readonly value: string }[] {
  const facts = Object.entries(data).flatMap(([name, value]) =>
    typeof value === 'object' || FOR_PROGRAMS.has(name) ? [] : [{ name: labelOf(name), value: String(value) }],
  );
  return [...facts, { name: 'Time', value: time }];
}

function labelOf(name: string): string {
  const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}
