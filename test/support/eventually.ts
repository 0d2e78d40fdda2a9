/** Only what never comes takes so long: the lease of a killed process expires after a minute, and a machine may be slow. */
const LIMIT_MS = 240_000;

/**
 * Asks until `probe` answers something other than undefined or false, and returns that. How soon that is, is not for a
 * test to say: it waits for a state.
 *
 * @throws when `limitMs` have passed, naming what was waited for.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = LIMIT_MS,
): Promise<T> {
  const end = Date.now() + limitMs;

  // Less and less often: what takes seconds is not to be held up by being asked for, nor its caller refused for that.
  for (let pauseMs = 20; ; pauseMs = Math.min(1.3 * pauseMs, 250)) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`Within ${limitMs} ms not seen: ${what}`);

    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** Time for what comes at once: vitest's own second is too short for a busy machine. */
export const ON_ANY_MACHINE = { timeout: 60_000 };
