import { createHash } from 'node:crypto';
import { z } from 'zod';
import { NOTIFICATION_KINDS } from '../settings/notify-targets.ts';

/** Maximum lengths of a notification's parts, in characters. `makeNotification` truncates longer parts. */
export const NOTIFICATION_LENGTHS = { title: 150, text: 2_800, value: 800, items: 20 } as const;

const value = z.union([z.string().max(NOTIFICATION_LENGTHS.value), z.number(), z.boolean()]);

/** A notification before it is rendered for a receiver. */
export const NOTIFICATION = z.strictObject({
  /** Identical for the same event, so that receivers can deduplicate. */
  id: z.string().regex(/^[0-9a-f]{32}$/),
  kind: z.enum([...NOTIFICATION_KINDS, 'test']),
  time: z.iso.datetime(),
  /** Subject: a key, or the app. */
  subject: z.string().min(1).max(NOTIFICATION_LENGTHS.value),
  severity: z.enum(['info', 'warning', 'error']),
  title: z.string().min(1).max(NOTIFICATION_LENGTHS.title),
  text: z.string().min(1).max(NOTIFICATION_LENGTHS.text),
  data: z.record(z.string(), z.union([value, z.array(z.record(z.string(), value)).max(NOTIFICATION_LENGTHS.items)])),
});

export type Notification = z.output<typeof NOTIFICATION>;

type Value = Notification['data'][string];

/** Input of a notification. Long values are truncated, and absent values are omitted. */
interface NotificationParts extends Omit<Notification, 'id' | 'data'> {
  /** Texts that identify the event uniquely. */
  readonly event: readonly string[];
  readonly data: Readonly<Record<string, Value | undefined>>;
}

/** The id depends only on the event, so that a repeated call creates the same id. */
export function makeNotification({ event, data, ...parts }: NotificationParts): Notification {
  const hash = createHash('sha256').update(JSON.stringify([parts.kind, ...event]));

  return {
    id: hash.digest('hex').slice(0, 32),
    ...parts,
    subject: shortenText(parts.subject, NOTIFICATION_LENGTHS.value),
    title: shortenText(parts.title, NOTIFICATION_LENGTHS.title),
    text: shortenText(parts.text, NOTIFICATION_LENGTHS.text),
    data: Object.fromEntries(
      Object.entries(data).flatMap(([name, one]) => (one === undefined || one === '' ? [] : [[name, limited(one)]])),
    ),
  };
}

function limited(value: Value): Value {
  if (!Array.isArray(value)) return limitedOne(value);
  return value
    .slice(0, NOTIFICATION_LENGTHS.items)
    .map((item) => Object.fromEntries(Object.entries(item).map(([name, one]) => [name, limitedOne(one)])));
}

function limitedOne<V extends string | number | boolean>(value: V): V | string {
  return typeof value === 'string' ? shortenText(value, NOTIFICATION_LENGTHS.value) : value;
}

/** Invisible characters, and characters that change the text direction: a name must not imitate another name. */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern removes control characters
  /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u00AD\u061C\u180E\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF\uFFF9-\uFFFB\uFFFE\uFFFF]/g;
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** Returns plain text with line feeds, truncated to a number of UTF-16 units. */
export function shortenText(text: string, most: number): string {
  const plain = text.replace(/\r\n?/g, '\n').replace(UNSEEN, ' ').replace(LONE_SURROGATE, '\uFFFD');
  if (plain.length <= most) return plain;
  // Does not split a surrogate pair.
  return `${plain.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
