import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { controlContainer, DRIFT_CONTAINER, ONE_RETRY } from '../azure/app-storage.ts';
import { readBlobText } from '../azure/blobs.ts';
import { withinTime } from '../azure/deadline.ts';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import type { Settings } from '../settings/settings.ts';
import { parseJson } from '../text.ts';
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
export type OutboxEntry = Readonly<z.output<typeof ENTRY>>;

/**
 * What is to be sent to whom, in the control zone: a message of the work zone names an entry, and decides nothing of what is in
 * it. Errors are the SDK's.
 */
export interface Outbox {
  /** An entry that exists stays: it may have been sent. */
  add(target: string, notification: Notification): Promise<void>;
  /** Undefined: there is no such entry. */
  read(target: string, id: string): Promise<OutboxEntry | undefined>;
  markSent(target: string, notification: Notification, sentOn: Date): Promise<void>;
  /** How far the collector has come, as JSON. */
  readProgress(): Promise<unknown>;
  saveProgress(progress: unknown): Promise<void>;
}

/** One small blob for each notification and target. */
export function createOutbox(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential): Outbox {
  const container = controlContainer(settings, credential, DRIFT_CONTAINER, ONE_RETRY);
  const read = async (name: string): Promise<unknown> => {
    const blob = container.getBlockBlobClient(name);
    const found = await unlessMissing(() => withinTime(TIMEOUT_MS, (limit) => readBlobText(blob, limit)));
    return found && parseJson(found.text);
  };
  const write = async (name: string, value: unknown, conditions = {}): Promise<void> => {
    const json = JSON.stringify(value);
    const blobHTTPHeaders = { blobContentType: 'application/json; charset=utf-8' };
    const blob = container.getBlockBlobClient(name);
    const upload = () =>
      withinTime(TIMEOUT_MS, (limit) =>
        blob.upload(json, Buffer.byteLength(json), { conditions, blobHTTPHeaders, ...limit }),
      );
    try {
      await upload();
    } catch (error) {
      if (describeFailure(error).code !== 'ContainerNotFound') throw error;
      await container.createIfNotExists();
      await upload();
    }
  };
  return {
    async add(target, notification) {
      try {
        const entry: OutboxEntry = { notification };
        await write(nameOf(target, notification.id), entry, { ifNoneMatch: '*' });
      } catch (error) {
        if (describeFailure(error).kind !== 'conflict') throw error;
      }
    },
    read: async (target, id) => ENTRY.safeParse(await read(nameOf(target, id))).data,
    markSent: (target, notification, sentOn) => {
      const entry: OutboxEntry = { notification, sentOn: sentOn.toISOString() };
      return write(nameOf(target, notification.id), entry);
    },
    readProgress: () => read(PROGRESS),
    saveProgress: (progress) => write(PROGRESS, progress),
  };
}

/** Both parts are checked before: a target of the settings, and an id. */
function nameOf(target: string, id: string): string {
  return `${PREFIX}${target}/${id}.json`;
}
