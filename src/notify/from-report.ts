import type { DriftCause, DriftReport } from '../drift/report/report.ts';
import { formatMany } from '../formats/text.ts';
import { formatCauseLabel, shortenResource } from '../keys/resource-label.ts';
import type { NotificationKind } from '../settings/notify-targets.ts';
import { makeNotification, NOTIFICATION_LENGTHS, type Notification, shortenText } from './notification.ts';

/** Maximum number of new causes for which the text includes a command. */
const COMMANDS = 5;
/** Maximum length of the problem description before its command, in characters. */
const MOST_IS = 1_000;

/** Maximum number of causes in a text. */
const LINES = 10;
const OLDEST = 5;

const NEAR_EXPIRY: ReadonlySet<string> = new Set(['NearExpiry', 'KeyExpired']);

/**
 * Returns the new causes of a report: one notification for all new causes, and one for keys near expiry. The digest and
 * the page show advice and exempt findings. A cause that becomes an error is notified again.
 *
 * @param known causes that were notified and were still in the last report
 * @returns also the causes that are now notified: a cause that reappears is notified again. An incomplete report
 *   removes no cause.
 */
export function createFromReport(
  report: DriftReport,
  known: readonly string[],
): { readonly notifications: readonly Notification[]; readonly known: readonly string[] } {
  const open = openCauses(report).filter(({ severity }) => severity !== 'advice');

  // A fleet may have one cause for each account.
  const isKnown = new Set(known);
  const fresh = open.filter((cause) => !isKnown.has(asError(cause)) && !isKnown.has(keyOf(cause)));
  const isExpiry = ({ reason }: DriftCause): boolean => NEAR_EXPIRY.has(reason);
  const expiring = fresh.filter(isExpiry);
  const others = fresh.filter((cause) => !isExpiry(cause));

  // A cause that was notified as an error remains listed as an error.
  const now = open.map((cause) => (isKnown.has(asError(cause)) ? asError(cause) : keyOf(cause)));
  const ends = `${formatMany(expiring.length, 'key is', 'keys are')} expired or about to expire`;
  const drifted = `${formatMany(others.length, 'new cause', 'new causes')} of drift`;

  return {
    notifications: [
      ...(expiring.length > 0 ? [notificationOf('nearExpiry', ends, expiring, report)] : []),
      ...(others.length > 0 ? [notificationOf('newCauses', drifted, others, report)] : []),
    ],
    known: report.complete ? now : [...new Set([...known, ...now])],
  };
}

function keyOf(cause: DriftCause): string {
  return cause.severity === 'error' ? asError(cause) : cause.id;
}

function asError({ id }: DriftCause): string {
  return `${id} error`;
}

interface DigestInput {
  /** `2026-11-25` */
  readonly day: string;
  readonly now: Date;
  /** The newest report; undefined if today and yesterday have none. */
  readonly report: DriftReport | undefined;
  /** Texts of the last digest's causes, by id; undefined before the first digest. */
  readonly before: Readonly<Record<string, string>> | undefined;
}

/** Creates the daily digest: new and resolved causes since the last digest, and the oldest open causes. */
export function createDigest({ day, now, report, before }: DigestInput): {
  readonly notification: Notification;
  readonly causes: Readonly<Record<string, string>>;
} {
  const event = [day];
  const head = { kind: 'digest', event, time: now.toISOString(), subject: 'drift' } as const;

  if (!report) {
    const title = 'Digest: no drift check has ended since yesterday';
    const text = 'The app cannot report the health of the fleet. Check the function driftCheck and its log.';
    return {
      notification: makeNotification({ ...head, severity: 'error', title, text, data: {} }),
      causes: before ?? {},
    };
  }

  const open = openCauses(report);
  const fresh = open.filter(({ id }) => before && before[id] === undefined);

  // A cause that an incomplete report lacks may still exist.
  const ids = new Set(open.map(({ id }) => id));
  const gone = Object.entries(before ?? {}).flatMap(([id, label]) => (report.complete && !ids.has(id) ? label : []));
  const oldest = [...open].sort((a, b) => Date.parse(a.since) - Date.parse(b.since)).slice(0, OLDEST);
  const sinceOf = (cause: DriftCause): string => `${lineOf(cause)}, since ${cause.since.slice(0, 10)}`;
  const errors = open.filter(({ severity }) => severity === 'error').length;

  const lines = [
    ...(report.complete ? [] : ['The check failed to read some resources: there may be more causes.']),
    ...section('New', fresh.map(lineOf)),
    ...section('Gone', gone),
    ...section('Oldest open causes', oldest.map(sinceOf)),
  ];

  const notification = makeNotification({
    ...head,
    severity: worstSeverity(open),
    title: `Digest: ${open.length} open, ${fresh.length} new, ${gone.length} gone`,
    text: lines.length > 0 ? lines.join('\n') : 'No causes are open.',
    data: {
      report: report.id,
      reportedOn: report.finishedOn,
      complete: report.complete,
      open: open.length,
      errors,
      new: fresh.length,
      gone: gone.length,
      oldest: oldest.map(toItem),
    },
  });

  const kept = report.complete ? {} : before;

  return { notification, causes: { ...kept, ...Object.fromEntries(open.map((cause) => [cause.id, lineOf(cause)])) } };
}

function openCauses({ causes }: DriftReport): readonly DriftCause[] {
  return causes.filter(({ exempt }) => !exempt);
}

function worstSeverity(causes: readonly DriftCause[]): Notification['severity'] {
  if (causes.some(({ severity }) => severity === 'error')) return 'error';
  return causes.length > 0 ? 'warning' : 'info';
}

function notificationOf(
  kind: NotificationKind,
  title: string,
  causes: readonly DriftCause[],
  report: DriftReport,
): Notification {
  return makeNotification({
    // The id depends on the causes, so that a later report with the same causes creates the same notification.
    event: causes.map((cause) => `${keyOf(cause)} ${cause.since}`).sort(),
    kind,
    time: report.finishedOn,
    subject: causes.length === 1 ? (causes[0]?.sample[0] ?? 'drift') : 'drift',
    severity: causes.some(({ severity }) => severity === 'error') ? 'error' : 'warning',
    title,
    text: textOf(causes),
    data: { report: report.id, count: causes.length, causes: causes.map(toItem) },
  });
}

function textOf(causes: readonly DriftCause[]): string {
  const [only] = causes;
  if (only && causes.length === 1) {
    return [...listed([lineOf(only)]), shortenText(only.is, MOST_IS), commandOf(only) ?? only.fix].join('\n');
  }

  const lines = causes.map(lineOf);
  if (causes.length > COMMANDS) return listed(lines).join('\n');

  let room = NOTIFICATION_LENGTHS.text - listed(lines).join('\n').length;

  return causes
    .flatMap((cause, at) => {
      const command = commandOf(cause);
      const fits = command !== undefined && command.length < room;
      if (fits) room -= command.length + 1;
      return [...listed(lines.slice(at, at + 1)), ...(fits ? [command] : [])];
    })
    .join('\n');
}

/** Returns the first command, but never a part of it: half a command may do something else. */
function commandOf({ commands }: DriftCause): string | undefined {
  const [first] = commands;
  return first !== undefined && first.length <= NOTIFICATION_LENGTHS.value ? first : undefined;
}

function toItem(cause: DriftCause) {
  const { id, reason, severity, affected, since } = cause;
  const about = cause.about.join(', ').slice(0, 200);
  const sample = cause.sample.map(shortenResource).join(', ').slice(0, 200);
  const command = commandOf(cause);
  return { id, reason, severity, about, affected, since, sample, ...(command === undefined ? {} : { command }) };
}

/** `IdentityWithoutRole: id-storage on kv-files (2,000 affected)` */
function lineOf({ reason, about, affected, sample }: DriftCause): string {
  const where = about.length > 0 ? formatCauseLabel({ about }) : sample.slice(0, 3).map(shortenResource).join(', ');
  return `${reason}: ${where.slice(0, 200)}${affected > 1 ? ` (${affected.toLocaleString('en')} affected)` : ''}`;
}

function section(name: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`${name}:`, ...listed(lines)];
}

function listed(lines: readonly string[]): string[] {
  const shown = lines.slice(0, LINES).map((line) => `- ${line}`);
  return lines.length > LINES ? [...shown, `- and ${lines.length - LINES} more`] : shown;
}
