const LINE_FEED = 0x0a;

/** The lines of a file, without their line feed; `ended`: it has one. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<{ bytes: Buffer; ended: boolean }> {
  let rest: Buffer[] = [];
  for await (const chunk of stream) {
    let bytes = Buffer.from(chunk);
    for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED)) {
      yield { bytes: Buffer.concat([...rest, bytes.subarray(0, at)]), ended: true };
      rest = [];
      bytes = bytes.subarray(at + 1);
    }
    if (bytes.length > 0) rest.push(bytes);
  }
  if (rest.length > 0) yield { bytes: Buffer.concat(rest), ended: false };
}
