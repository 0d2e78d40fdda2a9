import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { useHost } from './fixture.ts';

const LIMIT = 1_200_000;
const SIZE = 95 * 1_048_576;
/** What the kernel takes off a client's hands on loopback, before it waits for the reader. */
const IN_FLIGHT = 24 * 1_048_576;
const PIECE = Buffer.alloc(65_536, 'x');

const fixture = useHost({ env: () => ({ FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: String(LIMIT) }) });

interface Outcome {
  readonly status: string;
  /** Bytes that left the client. */
  readonly sent: number;
}

/** Sends a body in pieces until it is answered, as curl does. */
function post(base: string, path: string, framing: 'length' | 'chunked', size = SIZE): Promise<Outcome> {
  const { port, host } = new URL(base);

  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1');
    let left = size;
    const send = () => {
      while (left > 0) {
        const piece = PIECE.subarray(0, Math.min(left, PIECE.length));
        left -= piece.length;
        const text = framing === 'length' ? piece : Buffer.concat([hex(piece), piece, Buffer.from('\r\n')]);
        if (!socket.write(text)) return;
      }
      if (framing === 'chunked') socket.write('0\r\n\r\n');
    };

    socket.on('drain', send);
    socket.once('error', reject);

    socket.once('data', (answer) => {
      const sent = socket.bytesWritten - socket.writableLength;
      socket.destroy();
      resolve({ status: answer.toString().slice(9, 12), sent });
    });

    const body = framing === 'length' ? `Content-Length: ${size}` : 'Transfer-Encoding: chunked';

    socket.write(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n${body}\r\n\r\n`);
    send();
  });
}

const hex = ({ length }: Buffer) => Buffer.from(`${length.toString(16)}\r\n`);

it.each(['length', 'chunked'] as const)(
  'The host answers 413 to a body of 95 MiB (%s) before it reads the body',
  async (framing) => {
    let calls = 0;
    const echo = () => {
      calls += 1;
      return { body: String(calls) };
    };
    fixture.handlers = { echo };

    const { status, sent } = await post(fixture.url, '/api/echo', framing);
    expect(status).toBe('413');
    expect(sent).toBeLessThan(IN_FLIGHT);
    expect(calls).toBe(0);
  },
);

it('The host accepts a body of the limit, and rejects one byte more', async () => {
  fixture.handlers = { echo: () => ({ body: 'served' }) };
  expect((await post(fixture.url, '/api/echo', 'length', LIMIT)).status).toBe('200');
  expect((await post(fixture.url, '/api/echo', 'length', LIMIT + 1)).status).toBe('413');
});
