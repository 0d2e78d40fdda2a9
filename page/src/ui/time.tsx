import { serverNow } from '../server-time.ts';

const LOCAL = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const LOCAL_YEAR = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
});
const UTC = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: 'UTC' });
const UTC_DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const LOCAL_DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

/** A time in the browser's zone, and in UTC beside it. */
export function Time({ at }: { readonly at: string | Date }) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <span>{String(at)}</span>;
  const isUtc = date.getTimezoneOffset() === 0;
  const format = date.getFullYear() === new Date().getFullYear() ? LOCAL : LOCAL_YEAR;
  return (
    <time class="time" dateTime={date.toISOString()}>
      {format.format(date)} {isUtc ? <small>UTC</small> : <small>({inUtc(date)} UTC)</small>}
    </time>
  );
}

function inUtc(date: Date): string {
  const day = UTC_DAY.format(date);
  return day === LOCAL_DAY.format(date) ? UTC.format(date) : `${day}, ${UTC.format(date)}`;
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

/** @param now by the clock that `at` is from: the app's, unless it is told */
export function ago(at: string | Date, now = serverNow()): string {
  const seconds = (now.getTime() - new Date(at).getTime()) / 1000;
  if (seconds < -5) return `in ${coarse(-seconds)}`;
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
