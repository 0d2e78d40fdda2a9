import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll } from 'vitest';

export type StorageService = 'Blob' | 'Queue' | 'Table';

/** A proxy between an app and its storage. */
export interface StorageGate {
  /** Of the storage behind the gate. */
  readonly connectionString: string;
  /** From now on the service takes connections and requests, and answers none. */
  hang(service: StorageService): void;
  /** It answers again; what hung until then is cut off. */
  open(): void;
}

const SERVICES = ['Blob', 'Queue', 'Table'] as const;

/** For one test file, at the top level. */
export function useStorageGate(storage: { readonly connectionString: string }): StorageGate {
  const hanging = new Set<StorageService>();
  const sockets = new Set<Socket>();
  const closers: (() => void)[] = [];
  let connectionString = '';

  const listen = async (service: StorageService, port: number): Promise<number> => {
    const server = createServer((client) => {
      const behind = connect(port, '127.0.0.1');
      for (const [from, to] of [
        [client, behind],
        [behind, client],
      ] as const) {
        sockets.add(from);
        from.on('data', (data) => hanging.has(service) || to.write(data));
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
      }
    });

    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());

    return (server.address() as AddressInfo).port;
  };

  beforeAll(async () => {
    connectionString = storage.connectionString;
    for (const service of SERVICES) {
      const [, before = '', port = ''] =
        new RegExp(`(${service}Endpoint=http://127\\.0\\.0\\.1:)(\\d+)`).exec(connectionString) ?? [];
      connectionString = connectionString.replace(before + port, before + (await listen(service, Number(port))));
    }
  });

  const open = (): void => {
    if (hanging.size > 0) {
      for (const socket of sockets) socket.destroy();
    }
    sockets.clear();
    hanging.clear();
  };

  afterAll(() => {
    for (const close of closers) close();
    for (const socket of sockets) socket.destroy();
  });

  return {
    get connectionString() {
      return connectionString;
    },
    hang: (service) => {
      hanging.add(service);
    },
    open,
  };
}
