import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { controlContainer, DRIFT_CONTAINER, ONE_RETRY } from '../azure/app-storage.ts';
import { blobDocuments, type StoredDocument } from '../azure/documents.ts';
import type { Settings } from '../settings/settings.ts';
import { NOTIFICATION, type Notification } from './notification.ts';

/** Beside the reports: the lifecycle rule of the container deletes old blobs. */
const PREFIX = 'notifications/';
const PROGRESS = `${PREFIX}collected.json`;
const TIMEOUT_MS = 10_000;

const ENTRY = z.object({
  notification: NOTIFICATION,
  /** When the receiver accepted it (ISO 8601); absent: not yet. */
  sentOn: z.iso.datetime().optional(),
});
type OutboxEntry = StoredDocument<Readonly<z.output<typeof ENTRY>>>;

/**
 * Notifications with their targets, in the control zone: a message of the work zone names an entry, and cannot change what is
 * sent. Errors are the SDK's.
 */
export interface Outbox {
  /** An entry that exists stays: it may have been sent. */
  add(target: string, notification: Notification): Promise<void>;
  /** Undefined: there is no such entry. */
  read(target: string, id: string): Promise<OutboxEntry | undefined>;
  markSent(target: string, entry: OutboxEntry, sentOn: Date): Promise<void>;
  /** How far the collector has come, as JSON. */
  readProgress(): Promise<unknown>;
  saveProgress(progress: unknown): Promise<void>;
}

/** One small blob for each notification and target. */
export function createOutbox(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential): Outbox {
  const container = controlContainer(settings, credential, DRIFT_CONTAINER, ONE_RETRY);
  const entries = blobDocuments(container, ENTRY, TIMEOUT_MS);
  const progress = blobDocuments(container, z.unknown(), TIMEOUT_MS);
  return {
    async add(target, notification) {
      await entries.put(nameOf(target, notification.id), { notification }, undefined);
    },
    read: (target, id) => entries.read(nameOf(target, id)),
    async markSent(target, { value, etag }, sentOn) {
      const { notification } = value;
      await entries.put(nameOf(target, notification.id), { notification, sentOn: sentOn.toISOString() }, etag);
    },
    readProgress: async () => (await progress.read(PROGRESS))?.value,
    async saveProgress(next) {
      await progress.change(
        PROGRESS,
        () => next,
        async () => undefined,
      );
    },
  };
}

/** Both parts are checked before: a target of the settings, and an id. */
function nameOf(target: string, id: string): string {
  return `${PREFIX}${target}/${id}.json`;
}
