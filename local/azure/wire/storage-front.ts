import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { onlyLocal } from '../../loopback.ts';
import type { Clock } from '../clock.ts';
import type { Faults } from '../faults.ts';
import { listen } from './listen.ts';
import { meetFault } from './meet-fault.ts';
import type { RequestLog } from './request-log.ts';

export interface StorageFront {
  /** The connection string of the storage behind, with the addresses of this front. */
  readonly connectionString: string;
  close(): Promise<void>;
}

interface Reply {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** The name of the app's storage account in Azure. */
const ACCOUNT = 'stcmkapp';

/**
 * A front of the app's storage (Azurite), for faults and the request log. It serves the names of Azure:
 * `stcmkapp.queue.core.windows.net`. A fault applies to them only if it names the host.
 */
export async function startStorageFront(
  connectionString: string,
  { clock, faults, log }: { readonly clock: Clock; readonly faults: Faults; readonly log: RequestLog },
): Promise<StorageFront> {
  const closing: (() => Promise<void>)[] = [];
  let fronted = connectionString;

  for (const service of ['Blob', 'Queue', 'Table'] as const) {
    const [, endpoint] = new RegExp(`${service}Endpoint=(http://[^;]+)`).exec(connectionString) ?? [];
    if (endpoint === undefined) continue;

    const target = new URL(endpoint);
    const host = `${ACCOUNT}.${service.toLowerCase()}.core.windows.net`;

    const server = createServer(
      onlyLocal((incoming, outgoing) => {
        // the front was closed, or the caller disconnected
        serve(incoming, outgoing).catch(() => incoming.socket.destroy());
      }),
    );

    const { port, close } = await listen(server);

    closing.push(close);
    fronted = fronted.replace(endpoint, endpoint.replace(`:${target.port}/`, `:${port}/`));

    async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
      const started = performance.now();
      const { method = 'GET', url = '/' } = incoming;
      const path = url.replace(target.pathname, '') || '/';
      const body = await buffer(incoming);

      const reply = await meetFault<Reply>(faults.takeStorageRequest(host, method, path) ?? {}, {
        takesEffect: () => forward(target, incoming, body),
        ordered: ({ status, headers = {}, body: text = '' }) => ({
          status,
          // Otherwise Node adds the machine's time.
          headers: ['date', clock.now().toUTCString(), ...Object.entries(headers).flat()],
          body: Buffer.from(typeof text === 'string' ? text : JSON.stringify(text)),
        }),
        statusOf: ({ status }) => status,
        cut: () => incoming.socket.destroy(),
        note: (status) => {
          const durationMs = Math.round((performance.now() - started) * 10) / 10;
          log.add({ time: clock.now().toISOString(), host, method, path, status, durationMs });
        },
      });

      if (reply) outgoing.writeHead(reply.status, [...reply.headers]).end(reply.body);
    }
  }

  return {
    connectionString: fronted,
    close: async () => {
      await Promise.all(closing.map((close) => close()));
    },
  };
}

/** Forwards the request on a new connection, since the storage might close a kept one just then. */
function forward(target: URL, { method, url, rawHeaders }: IncomingMessage, body: Buffer): Promise<Reply> {
  const { hostname, port } = target;

  return new Promise((resolve, reject) => {
    const onward = request(
      { hostname, port, method, path: url, headers: own(rawHeaders), setHost: false, agent: false },
      (response) => {
        buffer(response).then(
          (answer) => resolve({ status: response.statusCode ?? 502, headers: own(response.rawHeaders), body: answer }),
          reject,
        );
      },
    );

    onward.once('error', reject);
    onward.end(body);
  });
}

/** The headers without those of one connection: names and values alternate. */
function own(raw: readonly string[]): string[] {
  const hop = new Set(['connection', 'keep-alive', 'transfer-encoding']);
  return raw.filter((_, index) => !hop.has((raw[index - (index % 2)] ?? '').toLowerCase()));
}
