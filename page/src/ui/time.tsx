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

/** A moment in the zone of the browser, with UTC on hover. */
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

/** The day of a moment, with the moment in UTC on hover. */
export function Day({ at }: { readonly at: Date }) {
  return (
    <time dateTime={at.toISOString()} title={`${UTC.format(at)} UTC`}>
      {DAY.format(at)}
    </time>
  );
}

/** Whether a moment is behind, by the clock of the app. */
export function isPast(at: string): boolean {
  return Date.parse(at) < serverNow().getTime();
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** `3 min`, `2 d 4 h`: the two largest units that are not nothing. */
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

/** In its largest unit alone: what is long ago is not counted in seconds. */
function coarse(seconds: number): string {
  const [name, size] = UNITS.find(([, one]) => seconds >= one) ?? ['s', 1];
  return `${Math.floor(seconds / size)} ${name}`;
}

/**
 * How long ago it was; two clocks that differ do not put it into the future.
 *
 * @param now by the clock that `at` is from: the app's, unless given
 */
export function ago(at: string | Date, now = serverNow()): string {
  const seconds = (now.getTime() - new Date(at).getTime()) / 1000;
  return seconds < 5 ? 'just now' : `${coarse(seconds)} ago`;
}

/** Both: how long ago, and when. */
export function Since({ at }: { readonly at: string | Date }) {
  return (
    <span class="since">
      {ago(at)} · <Time at={at} />
    </span>
  );
}
