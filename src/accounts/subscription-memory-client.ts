import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { controlContainer, DRIFT_CONTAINER, ONE_RETRY } from '../azure/app-storage.ts';
import { readBlobText } from '../azure/blob-text.ts';
import { withinTime } from '../azure/deadline.ts';
import { describeFailure } from '../azure/failure.ts';
import type { Settings } from '../settings/settings.ts';
import type { SubscriptionMemory } from './subscription-memory.ts';

const BLOB = 'subscriptions.json';
/** What cannot be read in time is done without: a blast radius may wait for it. Milliseconds. */
const TIMEOUT_MS = 3_000;

const SEEN = z.record(z.string().max(40), z.iso.datetime());

/** One small blob. Of two instances that write at once one is lost: the next look writes what it lacks. */
export function createSubscriptionMemory(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
): SubscriptionMemory {
  const container = controlContainer(settings, credential, DRIFT_CONTAINER, ONE_RETRY);
  const blob = container.getBlockBlobClient(BLOB);
  return {
    async read() {
      try {
        const { text } = await withinTime(TIMEOUT_MS, (limit) => readBlobText(blob, limit));
        return SEEN.parse(JSON.parse(text));
      } catch (error) {
        if (describeFailure(error).kind !== 'notFound') throw error;
        return {};
      }
    },
    async write(seen) {
      const bytes = Buffer.from(JSON.stringify(seen));
      const blobHTTPHeaders = { blobContentType: 'application/json; charset=utf-8' };
      await withinTime(TIMEOUT_MS, (limit) => blob.uploadData(bytes, { blobHTTPHeaders, ...limit }));
    },
  };
}
