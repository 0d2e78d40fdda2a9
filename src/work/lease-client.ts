import type { TokenCredential } from '@azure/identity';
import type { BlobLeaseClient, BlockBlobClient } from '@azure/storage-blob';
import { ONE_RETRY, openWorkContainer } from '../azure/app-storage.ts';
import { JSON_FILE, readBlobText, writeOrCreateContainer } from '../azure/blobs.ts';
import { runWithAbortSignal } from '../azure/deadline.ts';
import { describeFailure, readUnless } from '../azure/failure.ts';
import { parseJson } from '../azure/parse-json.ts';
import type { Settings } from '../settings/settings.ts';

/** Container of leases in the app's own storage. */
export const LEASE_CONTAINER = 'cmk-leases';

/** Leases by name: one holder over all instances, with a small state that survives the holder. */
export interface Leases {
  /** Returns undefined if another holder has the lease. Throws the SDK's errors. */
  acquire(name: string): Promise<Lease | undefined>;
}

export interface Lease {
  /** The last saved state; undefined if it is no JSON. */
  readonly state: unknown;
  /** Whether the lease is certainly valid; once false, it remains false. Renewed in the background. Check right before a fenced write. */
  readonly held: () => boolean;
  /** Replaces the state; undefined clears it. Throws the SDK's errors. */
  save(state: unknown): Promise<void>;
  /** Releases the lease. Never throws: after a failure the lease expires. */
  release(): Promise<void>;
}

/** Duration of a lease without renewal. Milliseconds. */
export const LEASE_MS = 60_000;

/** `held` is true for this long after a renewal, so that the lease outlasts the sending of a write. Milliseconds. */
export const HELD_MS = LEASE_MS / 2;

/** Deadline of a renewal. Milliseconds. */
const RENEWAL_MS = 5_000;
/** Delay after a renewal that failed, so that one more fits before `held` ends. Milliseconds. */
const RENEW_AGAIN_MS = 1_000;

/** A longer state is not read: the app's states are much shorter. */
const MOST_BYTES = 4 * 1024 * 1024;

export interface LeaseOptions {
  /** 15 to 60: Azure's limits ("Lease Blob", Blob service REST API). */
  readonly durationSeconds?: number;
  /** Deadline of a request, including the client's retries. Milliseconds. */
  readonly timeoutMs?: number;
}

/**
 * Leases of blobs, one small blob for each name. A holder that saves nothing makes three requests: acquire, read the
 * state, release. The first holder makes two more, which create the blob.
 */
export function createLeases(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  { durationSeconds = LEASE_MS / 1000, timeoutMs = 10_000 }: LeaseOptions = {},
): Leases {
  // A retried acquire request carries the same lease id, so Azure grants it again.
  const container = openWorkContainer(settings, credential, LEASE_CONTAINER, ONE_RETRY);
  const bounded: Bounded = (request) => runWithAbortSignal(timeoutMs, request);
  const makeBlob = (blob: BlockBlobClient) => (limit: Limit) =>
    blob.upload('', 0, { conditions: { ifNoneMatch: '*' }, ...limit });

  return {
    async acquire(name) {
      const blob = container.getBlockBlobClient(name);
      const lease = blob.getBlobLeaseClient();
      const acquire = async (): Promise<Lease | undefined> => {
        const askedMs = performance.now();
        const granted = await readUnless('conflict', () =>
          bounded((limit) => lease.acquireLease(durationSeconds, limit)),
        );
        return granted && hold(blob, lease, askedMs, durationSeconds * 1000, bounded);
      };

      try {
        return await acquire();
      } catch (error) {
        if (describeFailure(error).kind !== 'notFound') throw error;

        // Another worker may have created the blob, and may hold the lease.
        await readUnless('conflict', () => writeOrCreateContainer(container, makeBlob(blob), timeoutMs));
        return acquire();
      }
    },
  };
}

type Limit = { readonly abortSignal: AbortSignal };
/** Sends a request with the deadline of the lease's requests. */
type Bounded = <T>(request: (limit: Limit) => Promise<T>) => Promise<T>;

/**
 * Renews an acquired lease until it is released, and reads its state.
 *
 * @param grantedMs send time of the granted request: Azure's lease began no earlier
 */
async function hold(
  blob: BlockBlobClient,
  lease: BlobLeaseClient,
  grantedMs: number,
  durationMs: number,
  bounded: Bounded,
): Promise<Lease> {
  let sinceMs = grantedMs;
  let isOver = false;
  let state: unknown;
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    isOver = true;
    clearTimeout(timer);
  };

  const renewIn = (ms: number): void => {
    if (isOver) return;
    timer = setTimeout(() => renew(), ms);
    timer.unref();
  };

  const renew = async (): Promise<void> => {
    const askedMs = performance.now();
    try {
      await runWithAbortSignal(RENEWAL_MS, (limit) => lease.renewLease(limit));
    } catch (error) {
      if (describeFailure(error).kind === 'conflict') end();
      else renewIn(RENEW_AGAIN_MS);
      return;
    }

    sinceMs = askedMs;
    renewIn(durationMs / 3);
  };

  renewIn(durationMs / 3);

  const release = async (): Promise<void> => {
    end();
    await bounded((limit) => lease.releaseLease(limit)).catch(() => {});
  };

  try {
    const { text } = await bounded((limit) => readBlobText(blob, limit, MOST_BYTES));

    // A state that is too long or no JSON counts as empty: it must not block all workers.
    state = parseJson(text);
  } catch (error) {
    await release();
    throw error;
  }

  return {
    get state() {
      return state;
    },
    held: () => {
      // The caller stops work because of this answer: a later renewal would only block other holders.
      if (performance.now() - sinceMs >= (durationMs * HELD_MS) / LEASE_MS) end();
      return !isOver;
    },
    async save(next) {
      const json = next === undefined ? '' : JSON.stringify(next);
      const options = { conditions: { leaseId: lease.leaseId }, blobHTTPHeaders: JSON_FILE };
      await bounded((limit) => blob.upload(json, Buffer.byteLength(json), { ...options, ...limit }));
      state = next;
    },
    release,
  };
}
