import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { onlyLocal } from '../loopback.ts';
import { keepLokiSorted } from './sorted-loki.ts';

/** Azurite's well-known account. Every copy of Azurite has it, so its key protects nothing. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export interface Azurite {
  /** For `AzureWebJobsStorage`: blobs, queues and tables on free ports of 127.0.0.1. */
  readonly connectionString: string;
  stop(): Promise<void>;
}

interface AzuriteServer {
  start(): Promise<void>;
  close(): Promise<void>;
  readonly httpServer: Server;
}

type Service = 'Blob' | 'Queue' | 'Table';

/** Starts Azurite in this process: in memory, on free ports, without logs, with any API version. */
export async function startAzurite(): Promise<Azurite> {
  keepLokiSorted();

  const servers: AzuriteServer[] = [];
  const endpoints: string[] = [];

  for (const service of ['Blob', 'Queue', 'Table'] as const) {
    const server = create(service);
    await server.start();
    servers.push(server);
    refuseForeign(server.httpServer);

    const { port } = server.httpServer.address() as AddressInfo;
    endpoints.push(`${service}Endpoint=http://127.0.0.1:${port}/${ACCOUNT};`);
  }

  return {
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};${endpoints.join('')}`,
    stop: async () => {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

/** Every website knows the account's key: with DNS rebinding one could sign requests with it. */
function refuseForeign(server: Server): void {
  const serve = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[];
  server.removeAllListeners('request');
  for (const listener of serve) server.on('request', onlyLocal(listener));
}

/** Azurite has no API: its classes take their settings by position, and the table service in another order. */
function create(service: Service): AzuriteServer {
  const require = createRequire(import.meta.url);
  const load = (name: string) =>
    (require(`azurite/dist/src/${service.toLowerCase()}/${name}`) as { default: unknown }).default;
  const Configuration = load(`${service}Configuration`) as new (...settings: unknown[]) => unknown;
  const Server = load(`${service}Server`) as new (configuration: unknown) => AzuriteServer;
  const free = ['127.0.0.1', 0];
  const quietly = { loose: false, skipApiVersionCheck: true };
  const plainHttp = ['', '', ''];
  const inMemory = [undefined, false, true]; // no OAuth, product-style URLs, in memory

  if (service === 'Table') {
    const paths = [undefined, undefined];

    return new Server(
      new Configuration(
        ...free,
        ...paths,
        false, // debug log
        false, // access log
        undefined,
        undefined,
        quietly.loose,
        quietly.skipApiVersionCheck,
        ...plainHttp,
        ...inMemory,
      ),
    );
  }

  const paths = [undefined, undefined, undefined, undefined];

  return new Server(
    new Configuration(
      ...free,
      ...paths,
      false, // access log
      undefined,
      false, // debug log
      undefined,
      quietly.loose,
      quietly.skipApiVersionCheck,
      ...plainHttp,
      ...inMemory,
    ),
  );
}
