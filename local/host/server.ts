import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { onlyLocal } from '../loopback.ts';
import { type AdminContext, handleAdmin } from './admin.ts';
import type { RegisteredFunction } from './core-types.ts';
import { EVENT_GRID_PATH, handleEventGrid } from './event-grid-webhook.ts';
import { readBody, refuseBody } from './http-message.ts';
import { type HttpFunction, handleHttp } from './http-trigger.ts';
import type { Invoker } from './invoker.ts';
import { describe } from './load-app.ts';
import type { Write } from './log.ts';

export interface ServerContext {
  readonly http: readonly HttpFunction[];
  /** Event Grid functions by name. */
  readonly eventGrid: ReadonlyMap<string, RegisteredFunction>;
  readonly invoker: Invoker;
  readonly admin: AdminContext;
  /** Maximum size of a body in bytes. */
  readonly maxBodyBytes: number;
  readonly write: Write;
}

export interface Server {
  readonly url: string;
  /** Accepts no more connections. Resolves once all running requests have their answers. */
  stop(): Promise<void>;
}

/** Azure's load balancer keeps an idle connection this long ("Azure Load Balancer TCP reset"). */
const KEEP_ALIVE_MS = 4 * 60_000;

/**
 * Node accepts one connection of a listening socket in each turn of its event loop, and a flood makes turns long: a
 * client behind two hundred others waits for as many turns. Linux distributes connections over several sockets.
 */
const SOCKETS = process.platform === 'linux' ? 8 : 1;

/** @throws if the port is busy */
export async function serve(port: number, context: ServerContext): Promise<Server> {
  let stopping = false;
  const servers = Array.from({ length: SOCKETS }, () => {
    const server = createServer(
      onlyLocal((request, response) => {
        // A kept connection would delay the stop.
        response.once('close', () => stopping && server.closeIdleConnections());
        handle(context, request, response).catch((error: unknown) => {
          context.write('error', 'Host.Http', `${request.method} ${request.url}: ${describe(error)}`);
          if (!response.headersSent) response.writeHead(500, { 'Content-Length': 0 });
          response.end();
        });
      }),
    );

    // Node's default of five seconds ends just when a client on a busy machine sends: its call would be lost.
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    return server;
  });

  const bound = await listenTogether(servers, port);

  return {
    url: `http://127.0.0.1:${bound}`,
    stop: async () => {
      stopping = true;
      const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
      for (const server of servers) server.closeIdleConnections();
      await Promise.all(closed);
    },
  };
}

/**
 * @returns the port
 *
 * @throws if it is busy
 */
async function listenTogether(servers: readonly TcpServer[], port: number): Promise<number> {
  if (port !== 0) {
    // Without this socket, another process with a shared port would share this one.
    const alone = createTcpServer();
    await listen(alone, port, false);
    await new Promise((resolve) => alone.close(resolve));
  }
  let bound = port;
  for (const server of servers) bound = await listen(server, bound, servers.length > 1);
  return bound;
}

async function listen(server: TcpServer, port: number, reusePort: boolean): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // A flood exceeds Node's 511. The kernel retries a connection beyond the backlog, after a minute at worst.
    server.listen({ port, host: '127.0.0.1', backlog: 4_096, reusePort }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

async function handle(context: ServerContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = requestUrl(request);
  if (!url) {
    request.resume();
    response.writeHead(400, { 'Content-Length': 0 }).end();
    return;
  }

  const body = await readBody(request, context.maxBodyBytes);
  if (!body) return refuseBody(request);

  const path = url.pathname.toLowerCase();
  if (path === EVENT_GRID_PATH) {
    await handleEventGrid(context.eventGrid, context.invoker, url, request, response, body.toString());
  } else if (path.startsWith('/admin/')) {
    await handleAdmin(context.admin, path, request, response, body.toString());
  } else if (path === '/' && (request.method === 'GET' || request.method === 'HEAD') && !hasRoot(context.http)) {
    // The host's own home page, if no function has the route.
    response.writeHead(200, { 'Content-Type': 'text/plain' }).end('The Functions host is up and running.\n');
  } else {
    await handleHttp(context.http, context.invoker, url, request, response, body);
  }
}

const hasRoot = (functions: readonly HttpFunction[]) => functions.some(({ route }) => route.match('/') !== undefined);

/** Undefined if the request line and the Host header form no URL. */
function requestUrl(request: IncomingMessage): URL | undefined {
  const path = request.url?.startsWith('/') ? request.url : undefined;
  const url = `http://${request.headers.host}${path}`;
  return path !== undefined && URL.canParse(url) ? new URL(url) : undefined;
}
