import { createServer } from 'node:net';

/**
 * A free port of 127.0.0.1: `wanted`, or any for 0.
 *
 * @throws with advice if the wanted one is busy
 */
export function freePort(wanted: number): Promise<number> {
  if (!Number.isInteger(wanted) || wanted < 0 || wanted > 65_535) {
    throw new RangeError('PORT must be a whole number from 0 (any free port) to 65535.');
  }

  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE' || cause.code === 'EACCES';
      reject(taken ? new Error(`Port ${wanted} is busy: set PORT to a free one, or to 0 for any.`, { cause }) : cause);
    });

    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : wanted;
      server.close(() => resolve(port));
    });
  });
}
