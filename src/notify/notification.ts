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
  /** Time of the event (ISO 8601). */
  time: z.iso.datetime(),
  /** Subject: a key, or the app. */
  subject: z.string().min(1).max(NOTIFICATION_LENGTHS.value),
  severity: z.enum(['info', 'warning', 'error']),
  title: z.string().min(1).max(NOTIFICATION_LENGTHS.title),
  /** Plain text in sentences and lines. */
  text: z.string().min(1).max(NOTIFICATION_LENGTHS.text),
  /** Structured data for programs. */
  data: z.record(z.string(), z.union([value, z.array(z.record(z.string(), value)).max(NOTIFICATION_LENGTHS.items)])),
});

export type Notification = z.output<typeof NOTIFICATION>;
