import type { Writable } from 'node:stream';

/**
 * Keeps a command going when its output can be written no more: a reader that has gone (`| head -1`) must not stop a
 * revocation between two versions, and a full disk neither. Node would end the process.
 *
 * @returns what kept the output from being written, once that is known; undefined when it was written, or the reader closed the pipe
 */
export function lasting(stream: Writable): { readonly failure: () => string | undefined } {
  let failure: string | undefined;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // What is written after the first error fails because of it.
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') failure ??= error.message;
  });
  return { failure: () => failure };
}

/** Waits until everything is written, or the stream's error listeners were called. */
export function flushed(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => setImmediate(resolve));
  });
}
