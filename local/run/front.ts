import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Front {
  /** `http://127.0.0.1:PORT`, the same for as long as the run lasts. */
  readonly url: string;
  close(): Promise<void>;
}

/** What belongs to one connection, and is not handed on. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade', 'expect']);

/**
 * What stands before all instances of the app, as the one name of a function app does in Azure: hands each request to
 * the next of `instances` (their base URLs), and answers 503 while there is none, 502 when one ends before it answered.
 *
 * @throws when the port is busy.
 */
export async function startFront(port: number, instances: () => readonly string[]): Promise<Front> {
  let turn = 0;
  const server = createServer((incoming, outgoing) => {
    const up = instances();
    const target = up[turn % up.length];
    turn += 1;

    if (target !== undefined) return handOn(target, incoming, outgoing);
    incoming.resume();
    refuse(outgoing, 503, 'No instance of the app is up.');
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', 4_096, () => resolve());
  });

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function handOn(target: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { hostname, port } = new URL(target);
  const { method, url: path } = incoming;
  const headers = endToEnd(incoming.rawHeaders);

  // A connection for each request: one that is kept might be closed at the other end just when it is used again.
  const onward = request({ hostname, port, method, path, headers, setHost: false, agent: false }, (response) => {
    outgoing.writeHead(response.statusCode ?? 502, response.statusMessage, endToEnd(response.rawHeaders));
    response.pipe(outgoing);
    response.once('error', () => outgoing.destroy());
  });

  onward.once('error', () => {
    // The instance may answer before it has read a body to the end, and close.
    if (outgoing.writableEnded) return;
    if (outgoing.headersSent) outgoing.destroy();
    else refuse(outgoing, 502, 'The instance ended before it answered.');
  });

  outgoing.once('close', () => onward.destroy()); // the caller has gone
  incoming.pipe(onward);
}

function refuse(outgoing: ServerResponse, status: number, text: string): void {
  outgoing.writeHead(status, { 'Content-Type': 'text/plain' }).end(`${text}\n`);
}

/** Names and values in turn, as Node has them raw. */
function endToEnd(raw: readonly string[]): string[] {
  return raw.filter((_, index) => !HOP_BY_HOP.has((raw[index - (index % 2)] ?? '').toLowerCase()));
}
