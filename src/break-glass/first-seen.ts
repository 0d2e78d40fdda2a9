import type { Keys } from '../keys/key-client.ts';

/**
 * The same keys, and when the first versions of one were seen: what costs more than a look at the key is begun then, so
 * that calls about keys that are not there cost nothing else. It does not settle for those.
 */
export function firstSeen(keys: Keys): { readonly keys: Keys; readonly seen: Promise<void> } {
  let tell: () => void = () => {};
  const seen = new Promise<void>((resolve) => {
    tell = resolve;
  });
  async function* watched(...of: Parameters<Keys['versionPages']>): ReturnType<Keys['versionPages']> {
    for await (const page of keys.versionPages(...of)) {
      if (page.length > 0) tell();
      yield page;
    }
  }
  return { keys: { ...keys, versionPages: watched }, seen };
}
