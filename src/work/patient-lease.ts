import type { Lease } from './lease-client.ts';

/**
 * Tries again for a lease that somebody else holds for a few requests.
 *
 * @returns undefined when it is still held after the last try
 * @throws what `acquire` throws
 */
export async function acquirePatiently(
  acquire: () => Promise<Lease | undefined>,
  { tries, pauseMs }: { readonly tries: number; readonly pauseMs: number },
  sleep: (ms: number) => Promise<void>,
): Promise<Lease | undefined> {
  for (let left = tries; ; left -= 1) {
    const lease = await acquire();
    if (lease || left <= 1) return lease;
    await sleep(pauseMs);
  }
}
