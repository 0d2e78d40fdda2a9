import { createServer, type Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { AZURE_NAMES } from './certificates.ts';
import type { RequestLog } from './request-log.ts';

/** Whether the local Azure serves a host name. */
function isAzureHost(host: string): boolean {
  return AZURE_NAMES.some((name) =>
    name.startsWith('*.')
      ? host.endsWith(name.slice(1)) && !host.slice(0, -name.length + 1).includes('.')
      : host === name,
  );
}

/**
 * A forward proxy: connects Azure's names to `azure`, and refuses all others with 403, so that a client's mistake never
 * reaches the network. A name of Azure's that does not resolve, such as that of a deleted vault, gets 502, as from any
 * proxy.
 */
export function createProxy(
  azure: HttpsServer,
  clock: Clock,
  log: RequestLog,
  resolves: (host: string) => boolean,
): HttpServer {
  const note = (host: string, method: string, path: string, status: number) =>
    log.add({ time: clock.now().toISOString(), host, method, path, status, durationMs: 0 });
  const refuse = (host: string, method: string, path: string) =>
    log.add({ time: clock.now().toISOString(), host, method, path, status: 403, durationMs: 0, refused: true });

  const proxy = createServer((request, response) => {
    refuse(request.headers.host ?? '', request.method ?? '', request.url ?? '');
    response.writeHead(403, { 'content-type': 'text/plain' });
    response.end('The local Azure only proxies CONNECT to Azure.\n');
  });

  proxy.on('connect', (request, socket: Socket, head) => {
    socket.on('error', () => socket.destroy());

    const [host = '', port = '443'] = (request.url ?? '').toLowerCase().split(':');
    if (!isAzureHost(host) || port !== '443') {
      refuse(host, 'CONNECT', '');
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }

    if (!resolves(host)) {
      note(host, 'CONNECT', '', 502);
      socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }

    socket.setNoDelay(true);
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');

    if (head.length > 0) socket.unshift(head);

    // Hand the connection to the TLS server directly, without a second hop over loopback.
    azure.emit('connection', socket);
  });

  return proxy;
}
