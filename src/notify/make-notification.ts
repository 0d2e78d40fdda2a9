import { createHash } from 'node:crypto';
import { NOTIFICATION_LENGTHS, type Notification } from './notification.ts';

type Value = Notification['data'][string];

/** What a notification is made of: nothing is too long for it, and what is absent is left out. */
interface NotificationParts extends Omit<Notification, 'id' | 'data'> {
  /** What makes the event different from every other one. */
  readonly event: readonly string[];
  readonly data: Readonly<Record<string, Value | undefined>>;
}

/** The id is of the event alone: made twice, it is the same. */
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

/** Characters that no receiver shows, or that turn the direction of what follows: a name must not look like another. */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u00AD\u061C\u180E\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF\uFFF9-\uFFFB\uFFFE\uFFFF]/g;
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** Plain text of at most so many UTF-16 units, with line feeds. */
export function shortened(text: string, most: number): string {
  const plain = text.replace(/\r\n?/g, '\n').replace(UNSEEN, ' ').replace(LONE_SURROGATE, '\uFFFD');
  if (plain.length <= most) return plain;
  // A character of two units is not cut in half.
  return `${plain.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
