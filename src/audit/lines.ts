export const LINE_FEED = 0x0a;

/**
 * Maximum length of a line of the trail, in bytes; an entry has at most half a megabyte. A forger may append gigabytes
 * without a line feed, so readers drop the rest of a longer line.
 */
export const MOST_LINE_BYTES = 1024 * 1024;

/** Yields the lines of a file without their line feeds; `ended`: the line has a line feed. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<{ bytes: Buffer; ended: boolean }> {
  let rest: Buffer[] = [];
  let held = 0;
  for await (const chunk of stream) {
    let bytes = Buffer.from(chunk);
    for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED)) {
      yield { bytes: Buffer.concat([...rest, bytes.subarray(0, at)]), ended: true };
      [rest, held] = [[], 0];
      bytes = bytes.subarray(at + 1);
    }
    if (bytes.length === 0 || held > MOST_LINE_BYTES) continue;
    rest.push(bytes);
    held += bytes.length;
  }
  if (rest.length > 0) yield { bytes: Buffer.concat(rest), ended: false };
}
