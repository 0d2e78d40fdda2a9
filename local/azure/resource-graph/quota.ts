import type { World } from '../world.ts';

/**
 * Queries of each principal in a window of this many milliseconds ("Guidance for throttled requests in Azure Resource
 * Graph").
 */
const QUERIES = 15;
const WINDOW_MS = 5_000;

interface Window {
  readonly endsMs: number;
  used: number;
}

const windows = new WeakMap<World, Map<string, Window>>();

export interface Quota {
  /** False if the query is over the limit. */
  readonly granted: boolean;
  readonly headers: Record<string, string>;
}

/** Counts a query of a principal. The answer says what is left, even if the local Azure does not throttle. */
export function takeQuery(world: World, principalId: string): Quota {
  const nowMs = world.clock.nowMs();
  const byPrincipal = windows.get(world) ?? new Map<string, Window>();

  windows.set(world, byPrincipal);

  const known = byPrincipal.get(principalId);
  const window = known && known.endsMs > nowMs ? known : { endsMs: nowMs + WINDOW_MS, used: 0 };

  byPrincipal.set(principalId, window);

  const granted = window.used < QUERIES || !world.settings.throttle;
  if (granted) window.used += 1;

  const seconds = Math.max(1, Math.ceil((window.endsMs - nowMs) / 1000));
  const headers = {
    'x-ms-user-quota-remaining': String(Math.max(0, QUERIES - window.used)),
    'x-ms-user-quota-resets-after': `00:00:0${seconds}`,
  };

  return { granted, headers: granted ? headers : { ...headers, 'retry-after': String(seconds) } };
}
