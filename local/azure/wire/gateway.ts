import type { IncomingMessage } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { TokenAuthority } from '../entra/token-authority.ts';
import type { Faults, RequestFault } from '../faults.ts';
import { azureError, type Service, type ServiceEnv } from '../service.ts';
import type { World } from '../world.ts';
import { meetFault } from './meet-fault.ts';
import type { RequestLog } from './request-log.ts';

/** ARM's limit of 4 MB is enough for all services here. */
const maxBodyBytes = 4 * 1024 * 1024;

interface GatewayOptions {
  readonly world: World;
  readonly tokens: TokenAuthority;
  readonly faults: Faults;
  readonly log: RequestLog;
  /** The service of a host name. */
  readonly route: (host: string) => Service | undefined;
}

/**
 * Handles every request before its service: finds the service by host name, authenticates the caller, limits the body,
 * applies faults and latency, and writes the request log.
 */
export function createGateway(options: GatewayOptions): ReturnType<typeof getRequestListener> {
  const { world, tokens, faults, log, route } = options;
  const fronted = new Map<Service, Service>();

  const front = (service: Service): Service => {
    let app = fronted.get(service);
    if (!app) {
      app = withCaller(service, tokens);
      fronted.set(service, app);
    }
    return app;
  };

  return getRequestListener(
    async (request, env) => {
      const incoming = (env as { incoming: IncomingMessage }).incoming;
      const started = performance.now();
      const host = (incoming.headers.host ?? '').toLowerCase().replace(/:443$/, '');
      const method = incoming.method ?? 'GET';
      const path = incoming.url ?? '/';
      const note = (status: number) => {
        const caller = tokens.callerOf(incoming.headers.authorization)?.principal.displayName;
        const id = incoming.headers['x-ms-client-request-id'];
        log.add({
          time: world.clock.now().toISOString(),
          host,
          method,
          path,
          status,
          durationMs: Math.round((performance.now() - started) * 10) / 10,
          ...(typeof id === 'string' ? { clientRequestId: id } : {}),
          ...(caller ? { caller } : {}),
        });
      };

      const fault = faults.takeRequest(host, method, path) ?? {};
      const { latencyMs } = world.settings;

      // Read the body before any wait, so that the request takes effect even if its caller disconnects.
      const asked = latencyMs > 0 || fault.delayMs || fault.resetThenMs ? await whole(request) : request;
      const response = await meetFault<Response>(fault, {
        latencyMs,
        takesEffect: async () => {
          const service = route(host);
          return service
            ? await front(service).fetch(asked)
            : Response.json(azureError('NotFound', `Nothing answers under '${host}'.`), { status: 404 });
        },
        ordered: orderedAnswer,
        statusOf: ({ status }) => status,
        cut: () => incoming.socket.destroy(),
        note,
      });

      return response ?? RESPONSE_ALREADY_SENT;
    },
    { overrideGlobalObjects: false },
  );
}

function orderedAnswer({ status, headers = {}, body }: NonNullable<RequestFault['answer']>): Response {
  if (body === undefined || status === 204 || status === 304) return new Response(null, { status, headers });
  return new Response(typeof body === 'string' ? body : JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
  });
}

/** The same request with its body in memory. */
async function whole(request: Request): Promise<Request> {
  const { url, method, headers } = request;
  const body = await request.arrayBuffer();
  return new Request(url, { method, headers, ...(body.byteLength > 0 ? { body } : {}) });
}

function withCaller(service: Service, tokens: TokenAuthority): Service {
  const app = new Hono<ServiceEnv>({ strict: true });

  app.use(
    '*',
    bodyLimit({
      maxSize: maxBodyBytes,
      onError: (c) => c.json(azureError('RequestEntityTooLarge', 'The request body is too large.'), 413),
    }),
  );

  app.use('*', async (c, next) => {
    c.set('caller', tokens.callerOf(c.req.header('authorization')));
    await next();
  });
  app.route('/', service);
  app.notFound((c) => c.json(azureError('NotFound', `No route for ${c.req.method} ${c.req.path}.`), 404));

  app.onError((error, c) => {
    // A bug of the local Azure: log it on stderr, since a client would blame Azure for the 500.
    console.error(`local Azure: ${c.req.method} ${c.req.url}:`, error);
    return c.json(azureError('InternalServerError', error.message), 500);
  });

  return app;
}
