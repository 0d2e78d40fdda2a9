import { serverNow } from '../server-time.ts';

const LOCAL = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const LOCAL_YEAR = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
});
const UTC = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium', timeZone: 'UTC' });

/** A time in the browser's zone, with UTC on hover. */
export function Time({ at }: { readonly at: string | Date }) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <span>{String(at)}</span>;
  const format = date.getFullYear() === serverNow().getFullYear() ? LOCAL : LOCAL_YEAR;
  return (
    <time class="time" dateTime={date.toISOString()} title={`${UTC.format(date)} UTC`}>
      {format.format(date)}
    </time>
  );
}

const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

/** A day, with its time in UTC on hover. */
export function Day({ at }: { readonly at: Date }) {
  return (
    <time dateTime={at.toISOString()} title={`${UTC.format(at)} UTC`}>
      {DAY.format(at)}
    </time>
  );
}

/** Whether a time is past by the app's clock. */
export function isPast(at: string): boolean {
  return Date.parse(at) < serverNow().getTime();
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** `3 min`, `2 d 4 h`: the two largest units that are not zero. */
export function duration(seconds: number): string {
  let rest = Math.round(Math.max(0, seconds));
  const parts: string[] = [];
  for (const [name, size] of UNITS) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count} ${name}`);
    rest -= count * size;
    if (parts.length === 2) break;
  }
  return parts.length > 0 ? parts.join(' ') : '0 s';
}

/** Only the largest unit, since the age of old data needs no seconds. */
function coarse(seconds: number): string {
  const [name, size] = UNITS.find(([, one]) => seconds >= one) ?? ['s', 1];
  return `${Math.floor(seconds / size)} ${name}`;
}

/**
 * How long ago it was, never in the future, even if two clocks differ.
 *
 * @param now by the clock of `at`: by default the app's
 */
export function ago(at: string | Date, now = serverNow()): string {
  const seconds = (now.getTime() - new Date(at).getTime()) / 1000;
  return seconds < 5 ? 'just now' : `${coarse(seconds)} ago`;
}

/** A time and how long ago it was. */
export function Since({ at }: { readonly at: string | Date }) {
  return (
    <span class="since">
      {ago(at)} · <Time at={at} />
    </span>
  );
}
