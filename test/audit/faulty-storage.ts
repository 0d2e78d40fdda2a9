import { createServer, request as forward, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/**
 * What becomes of a request to the storage: `lose` lets it take effect and drops the answer, `refuse` drops it before
 * it is sent on, `hang` never answers.
 */
export type Fate = 'pass' | 'lose' | 'refuse' | 'hang';

/** Stands between a client and Azurite, so that the SDK meets real network failures. */
export async function faultyStorage(connectionString: string) {
  const target = new URL(/BlobEndpoint=([^;]+)/.exec(connectionString)?.[1] ?? '');
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  let decide: (operation: string) => Fate = () => 'pass';

  const server = createServer((request, response) => {
    const operation = operationOf(request);

    seen.push(operation);

    const fate = decide(operation);
    if (fate === 'hang') return;

    if (fate === 'refuse') {
      request.socket.destroy();
      return;
    }

    const { method, headers, url } = request;
    const onward = forward({ host: target.hostname, port: target.port, method, headers, path: url }, (answer) => {
      if (fate === 'lose') {
        answer.resume().on('end', () => request.socket.destroy());
      } else {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      }
    });

    onward.on('error', () => request.socket.destroy());
    request.pipe(onward);
  });

  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const { port } = server.address() as AddressInfo;

  return {
    connectionString: connectionString.replace(
      /BlobEndpoint=[^;]+/,
      `BlobEndpoint=http://127.0.0.1:${port}${target.pathname}`,
    ),
    /** Every request: `list`, `create`, `append`, `read`, `container`, in the order of arrival. */
    seen,
    onRequest(next: typeof decide) {
      decide = next;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function operationOf({ method, url = '' }: IncomingMessage): string {
  if (url.includes('comp=list')) return 'list';
  if (url.includes('comp=appendblock')) return 'append';
  if (url.includes('restype=container')) return 'container';
  return method === 'PUT' ? 'create' : 'read';
}
