/**
 * Asks until `probe` answers something other than undefined or false, and returns that.
 *
 * @throws when `limitMs` have passed, naming what was waited for.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = 25_000,
): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`Within ${limitMs} ms not seen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
