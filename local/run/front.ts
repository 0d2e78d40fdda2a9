import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Front {
  /** `http://127.0.0.1:PORT`, the same throughout the run. */
  readonly url: string;
  close(): Promise<void>;
}

/** Headers of one connection, which the front does not forward. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade', 'expect']);

/**
 * The common address of all instances, like the host name of a function app in Azure. It forwards each request to the
 * next of `instances` (their base URLs), and answers 503 if there is none, 502 if the instance ends before its answer.
 *
 * @throws if the port is busy
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

  // A new connection for each request, since the other end might close a kept one just then.
  const onward = request({ hostname, port, method, path, headers, setHost: false, agent: false }, (response) => {
    outgoing.writeHead(response.statusCode ?? 502, response.statusMessage, endToEnd(response.rawHeaders));
    response.pipe(outgoing);
    response.once('error', () => outgoing.destroy());
  });

  onward.once('error', () => {
    // The instance may answer, and close, before it has read the whole body.
    if (outgoing.writableEnded) return;
    if (outgoing.headersSent) outgoing.destroy();
    else refuse(outgoing, 502, 'The instance ended before it answered.');
  });

  outgoing.once('close', () => onward.destroy()); // the client has disconnected
  incoming.pipe(onward);
}

function refuse(outgoing: ServerResponse, status: number, text: string): void {
  outgoing.writeHead(status, { 'Content-Type': 'text/plain' }).end(`${text}\n`);
}

/** Names and values alternate, as in Node's raw headers. */
function endToEnd(raw: readonly string[]): string[] {
  return raw.filter((_, index) => !HOP_BY_HOP.has((raw[index - (index % 2)] ?? '').toLowerCase()));
}
