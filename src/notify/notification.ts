import { z } from 'zod';
import { NOTIFICATION_KINDS } from '../settings/notify-targets.ts';

/** Characters of the parts of a notification; the maker cuts off the rest. */
export const NOTIFICATION_LENGTHS = { title: 150, text: 2_800, value: 800, items: 20 } as const;

const value = z.union([z.string().max(NOTIFICATION_LENGTHS.value), z.number(), z.boolean()]);

/** A notification before it is rendered for a receiver. */
export const NOTIFICATION = z.strictObject({
  /** The same for the same event: receivers may deduplicate by it. */
  id: z.string().regex(/^[0-9a-f]{32}$/),
  kind: z.enum([...NOTIFICATION_KINDS, 'test']),
  /** When it happened (ISO 8601). */
  time: z.iso.datetime(),
  /** What it is about: a key, or the app. */
  subject: z.string().min(1).max(NOTIFICATION_LENGTHS.value),
  severity: z.enum(['info', 'warning', 'error']),
  title: z.string().min(1).max(NOTIFICATION_LENGTHS.title),
  /** Sentences and lines, as plain text. */
  text: z.string().min(1).max(NOTIFICATION_LENGTHS.text),
  /** The same for programs. */
  data: z.record(z.string(), z.union([value, z.array(z.record(z.string(), value)).max(NOTIFICATION_LENGTHS.items)])),
});

export type Notification = z.output<typeof NOTIFICATION>;
