import type { Writable } from 'node:stream';

/**
 * Keeps a command running after its output fails, where Node would end the process. A closed reader (`| head -1`) or a
 * full disk must not stop a revocation between two versions.
 *
 * @returns `failure`: the first write error; undefined if there was none, or the reader closed the pipe
 */
export function keepWriting(stream: Writable): { readonly failure: () => string | undefined } {
  let failure: string | undefined;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // Later writes fail only because of the first error.
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') failure ??= error.message;
  });
  return { failure: () => failure };
}

/** Waits until the stream has written everything, or has called its error listeners. */
export function waitUntilFlushed(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => setImmediate(resolve));
  });
}
