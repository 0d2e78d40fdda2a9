import { type KeyVersion, newestUsableVersion, newestVersion } from '../keys/key-versions.ts';
import { nearsExpiry } from '../keys/near-expiry.ts';

export interface WatchedState {
  readonly newest: KeyVersion | undefined;
  readonly phase: 'fresh' | 'nearExpiry' | 'expired';
  /** Changes with whatever a key vault would raise an event about, and when a version becomes usable, or no longer is. */
  readonly text: string;
}

/** What of a key is worth a look when it changes. Expiry is near 30 days before it: its rotation policy is not asked for. */
export function watchedState(versions: readonly KeyVersion[], now: Date): WatchedState {
  const newest = newestVersion(versions);
  const phase = phaseOf(newest, now);
  const usable = newestUsableVersion(versions, now);
  return { newest, phase, text: `${newest?.version ?? 'none'} ${usable?.version ?? 'none'} ${phase}` };
}

function phaseOf(newest: KeyVersion | undefined, now: Date): WatchedState['phase'] {
  if (!newest?.expiresOn) return 'fresh';
  if (newest.expiresOn.getTime() <= now.getTime()) return 'expired';
  return nearsExpiry(newest, {}, now) ? 'nearExpiry' : 'fresh';
}
