import { createHash } from 'node:crypto';
import { NOTIFICATION_LENGTHS, type Notification } from './notification.ts';

type Value = Notification['data'][string];

/** Input of a notification. Long values are truncated, and absent values are omitted. */
interface NotificationParts extends Omit<Notification, 'id' | 'data'> {
  /** Texts that identify the event uniquely. */
  readonly event: readonly string[];
  readonly data: Readonly<Record<string, Value | undefined>>;
}

/** The id depends only on the event, so that a repeated call creates the same id. */
export function makeNotification({ event, kind, time, ...parts }: NotificationParts): Notification {
  const { subject, severity, title, text, data } = parts;
  return {
    id: createHash('sha256')
      .update(JSON.stringify([kind, ...event]))
      .digest('hex')
      .slice(0, 32),
    kind,
    time,
    subject: shortened(subject, NOTIFICATION_LENGTHS.value),
    severity,
    title: shortened(title, NOTIFICATION_LENGTHS.title),
    text: shortened(text, NOTIFICATION_LENGTHS.text),
    data: Object.fromEntries(
      Object.entries(data).flatMap(([name, value]) => ((value ?? '') === '' ? [] : [[name, limited(value)]])),
    ),
  };
}

function limited(value: Value | undefined): Value {
  if (Array.isArray(value)) {
    return value
      .slice(0, NOTIFICATION_LENGTHS.items)
      .map((item) => Object.fromEntries(Object.entries(item).map(([name, one]) => [name, limitedOne(one)])));
  }
  return limitedOne(value ?? '');
}

function limitedOne<V extends string | number | boolean>(value: V): V | string {
  return typeof value === 'string' ? shortened(value, NOTIFICATION_LENGTHS.value) : value;
}

/** Invisible characters, and characters that change the text direction: a name must not imitate another name. */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern removes control characters
  /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u00AD\u061C\u180E\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF\uFFF9-\uFFFB\uFFFE\uFFFF]/g;
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** Returns plain text with line feeds, truncated to a number of UTF-16 units. */
export function shortened(text: string, most: number): string {
  const plain = text.replace(/\r\n?/g, '\n').replace(UNSEEN, ' ').replace(LONE_SURROGATE, '\uFFFD');
  if (plain.length <= most) return plain;
  // Does not split a surrogate pair.
  return `${plain.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
