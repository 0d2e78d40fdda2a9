import type { TokenCredential } from '@azure/identity';
import type { BlobLeaseClient, BlockBlobClient } from '@azure/storage-blob';
import { ONE_RETRY, workContainer } from '../azure/app-storage.ts';
import { readBlobText } from '../azure/blobs.ts';
import { withinTime } from '../azure/deadline.ts';
import { describeFailure } from '../azure/failure.ts';
import type { Settings } from '../settings/settings.ts';
import { parseJson } from '../text.ts';

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
  /** Whether the lease is certainly valid. Renewed in the background. Check right before a fenced write. */
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
  const container = workContainer(settings, credential, LEASE_CONTAINER, ONE_RETRY);
  const makeBlob = async (blob: BlockBlobClient): Promise<void> => {
    const upload = () =>
      withinTime(timeoutMs, (limit) => blob.upload('', 0, { conditions: { ifNoneMatch: '*' }, ...limit }));
    try {
      await upload();
    } catch (error) {
      if (isConflict(error)) return; // another worker created the blob, and may hold the lease
      if (describeFailure(error).code !== 'ContainerNotFound') throw error;
      await withinTime(timeoutMs, (limit) => container.createIfNotExists(limit));
      await upload().catch((again: unknown) => {
        if (!isConflict(again)) throw again;
      });
    }
  };
  return {
    async acquire(name) {
      const blob = container.getBlockBlobClient(name);
      const lease = blob.getBlobLeaseClient();
      const acquire = async (): Promise<HeldLease | undefined> => {
        const asked = performance.now();
        try {
          await withinTime(timeoutMs, (limit) => lease.acquireLease(durationSeconds, limit));
        } catch (error) {
          if (isConflict(error)) return undefined;
          throw error;
        }
        return new HeldLease(blob, lease, asked, durationSeconds * 1000, timeoutMs);
      };
      const held = await acquire().catch(async (error: unknown) => {
        if (describeFailure(error).kind !== 'notFound') throw error;
        await makeBlob(blob);
        return acquire();
      });
      try {
        await held?.read();
      } catch (error) {
        await held?.release();
        throw error;
      }
      return held;
    },
  };
}

class HeldLease implements Lease {
  #state: unknown;
  readonly #blob: BlockBlobClient;
  readonly #lease: BlobLeaseClient;
  readonly #durationMs: number;
  readonly #timeoutMs: number;
  readonly #timer: NodeJS.Timeout;
  /** Send time of the last granted request: Azure's lease began no earlier. */
  #since: number;
  #over = false;

  constructor(blob: BlockBlobClient, lease: BlobLeaseClient, since: number, durationMs: number, timeoutMs: number) {
    this.#blob = blob;
    this.#lease = lease;
    this.#since = since;
    this.#durationMs = durationMs;
    this.#timeoutMs = timeoutMs;
    this.#timer = setInterval(() => void this.#renew(), durationMs / 3);
    this.#timer.unref();
  }

  get state(): unknown {
    return this.#state;
  }

  readonly held = (): boolean =>
    !this.#over && performance.now() - this.#since < (this.#durationMs * HELD_MS) / LEASE_MS;

  async read(): Promise<void> {
    const { text: json } = await withinTime(this.#timeoutMs, (limit) => readBlobText(this.#blob, limit, MOST_BYTES));
    // A state that is too long or no JSON counts as empty: it must not block all workers.
    this.#state = parseJson(json);
  }

  async save(state: unknown): Promise<void> {
    const json = state === undefined ? '' : JSON.stringify(state);
    const options = {
      conditions: { leaseId: this.#lease.leaseId },
      blobHTTPHeaders: { blobContentType: 'application/json; charset=utf-8' },
    };
    await withinTime(this.#timeoutMs, (limit) =>
      this.#blob.upload(json, Buffer.byteLength(json), { ...options, ...limit }),
    );
    this.#state = state;
  }

  async release(): Promise<void> {
    this.#end();
    await withinTime(this.#timeoutMs, (limit) => this.#lease.releaseLease(limit)).catch(() => {});
  }

  #end(): void {
    this.#over = true;
    clearInterval(this.#timer);
  }

  /** Renews the lease. After a failure without an answer, the next timer event retries. */
  async #renew(): Promise<void> {
    const asked = performance.now();
    try {
      await withinTime(this.#timeoutMs, (limit) => this.#lease.renewLease(limit));
      this.#since = asked;
    } catch (error) {
      if (isConflict(error)) this.#end();
    }
  }
}

/** Returns whether Azure answered 409 or 412: the blob exists, or another holder has the lease. */
function isConflict(error: unknown): boolean {
  return describeFailure(error).kind === 'conflict';
}
