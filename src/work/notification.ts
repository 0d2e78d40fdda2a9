import { z } from 'zod';
import { NOTIFICATION_KINDS } from '../settings/notify-targets.ts';

/** Characters that the parts of a notification take; whoever makes one cuts off the rest. */
export const NOTIFICATION_LENGTHS = { title: 150, text: 2_800, value: 800, items: 20 } as const;

const value = z.union([z.string().max(NOTIFICATION_LENGTHS.value), z.number(), z.boolean()]);

/** What somebody is told, in no form of any receiver yet. A message of a queue holds 64 KiB, and this fits in. */
export const NOTIFICATION = z.strictObject({
  /** The same for the same event, however often it is told: receivers can go by it. */
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
