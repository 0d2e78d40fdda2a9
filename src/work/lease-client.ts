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

/** One holder at a time, over all instances, for a name; with a small state that outlives the holder. */
export interface Leases {
  /** Undefined: another holder has it. Errors are the SDK's. */
  acquire(name: string): Promise<Lease | undefined>;
}

export interface Lease {
  /** What a holder saved last: JSON, or undefined; what is not JSON counts as nothing. */
  readonly state: unknown;
  /** Whether it is still certainly ours: renewed in the background, lost when renewing fails. Check right before a write that it has to fence. */
  readonly held: () => boolean;
  /** Replaces the state; undefined clears it. Errors are the SDK's. */
  save(state: unknown): Promise<void>;
  /** Lets go at once. Never throws: what cannot be released expires. */
  release(): Promise<void>;
}

/** How long a lease stands that is renewed no more. Milliseconds. */
export const LEASE_MS = 60_000;

/** `held` is true for so long after the last renewal: the rest is kept back, so that a write that is sent then is on its way while the lease still stands. Milliseconds. */
export const HELD_MS = LEASE_MS / 2;

/** No state of the app is nearly as long: a longer one is not read. */
const MOST_BYTES = 4 * 1024 * 1024;

export interface LeaseOptions {
  /** 15 to 60: what Azure allows ("Lease Blob", Blob service REST API). */
  readonly durationSeconds?: number;
  /** Milliseconds for one request, tries of the client included. */
  readonly timeoutMs?: number;
}

/**
 * Leases of blobs, one small blob a name. Three requests for a holder that saves nothing: acquire, read the state,
 * release; two more the first time, which make the blob.
 */
export function createLeases(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  { durationSeconds = LEASE_MS / 1000, timeoutMs = 10_000 }: LeaseOptions = {},
): Leases {
  // A request to acquire that is sent twice carries the same lease id, and is granted twice.
  const container = workContainer(settings, credential, LEASE_CONTAINER, ONE_RETRY);
  const makeBlob = async (blob: BlockBlobClient): Promise<void> => {
    const upload = () =>
      withinTime(timeoutMs, (limit) => blob.upload('', 0, { conditions: { ifNoneMatch: '*' }, ...limit }));
    try {
      await upload();
    } catch (error) {
      if (isConflict(error)) return; // another worker created it, and may hold it
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
  /** When the last request was sent that was granted: by the service's reckoning the lease began no earlier. */
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
    // What is not JSON, or is too long, is no state: it must not keep every worker from the name.
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

  /** What fails for want of an answer is tried again by the next turn of the timer. */
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

/** 409 and 412: the blob exists already, or another holder has the lease. */
function isConflict(error: unknown): boolean {
  return describeFailure(error).kind === 'conflict';
}
