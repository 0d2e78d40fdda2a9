import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { DRIFT_CONTAINER, ONE_RETRY, openControlContainer } from '../azure/app-storage.ts';
import { createBlobDocuments, type StoredDocument } from '../azure/blobs.ts';
import type { Settings } from '../settings/settings.ts';
import { NOTIFICATION, type Notification } from './notification.ts';

/** Stored beside the reports: the container's lifecycle rule deletes old blobs. */
const PREFIX = 'notifications/';
const PROGRESS_NAME = `${PREFIX}collected.json`;
const TIMEOUT_MS = 10_000;

const ENTRY = z.object({
  notification: NOTIFICATION,
  /** When the receiver accepted it (ISO 8601); absent before. */
  sentOn: z.iso.datetime().optional(),
});
type OutboxEntry = StoredDocument<Readonly<z.output<typeof ENTRY>>>;

/** Progress of the collection, in the control zone, since the digest quotes parts of it. */
const PROGRESS = z.object({
  /** Hash and time of the last collected audit record; before the first record, the time at which collection starts. */
  last: z.string().optional(),
  since: z.iso.datetime(),
  /** Ids of the causes that were already notified, with their severity if it was `error`. */
  known: z.array(z.string()).default([]),
  /** Day of the last digest, and texts of its causes by id. The first day has no digest. */
  digest: z.object({ day: z.string(), causes: z.record(z.string(), z.string()).optional() }),
});
export type CollectProgress = z.output<typeof PROGRESS>;

/**
 * Notifications with their targets, in the control zone. A message of the work zone names an entry, and cannot change
 * its content. Methods throw the SDK's errors.
 */
export type Outbox = ReturnType<typeof createOutbox>;

/** Stores a small blob for each notification and target. */
export function createOutbox(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential) {
  const container = openControlContainer(settings, credential, DRIFT_CONTAINER, ONE_RETRY);
  const entries = createBlobDocuments(container, ENTRY, TIMEOUT_MS);

  const progress = createBlobDocuments<CollectProgress | undefined>(
    container,
    PROGRESS.optional().catch(undefined),
    TIMEOUT_MS,
  );

  // Callers have validated both parts: a target of the settings, and an id.
  const nameOf = (target: string, id: string): string => `${PREFIX}${target}/${id}.json`;

  return {
    /** Adds an entry. An existing entry remains unchanged, since it may have been sent. */
    async add(target: string, notification: Notification): Promise<void> {
      await entries.put(nameOf(target, notification.id), { notification }, undefined);
    },
    /** Returns undefined if the entry does not exist. */
    read: (target: string, id: string): Promise<OutboxEntry | undefined> => entries.read(nameOf(target, id)),
    async markSent(target: string, { value: { notification }, etag }: OutboxEntry, sentOn: Date): Promise<void> {
      await entries.put(nameOf(target, notification.id), { notification, sentOn: sentOn.toISOString() }, etag);
    },
    /** Returns the collector's progress; undefined before the first collection, or if the document is damaged. */
    readProgress: async () => (await progress.read(PROGRESS_NAME))?.value,
    async saveProgress(next: CollectProgress): Promise<void> {
      const replace = () => next;
      await progress.change(PROGRESS_NAME, replace, async () => undefined);
    },
  };
}
