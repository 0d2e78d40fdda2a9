import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { getRequestListener } from '@hono/node-server';
import { onlyLocal } from '../loopback.ts';
import type { AppControl } from './app-control.ts';
import { createArmService } from './arm/arm-service.ts';
import { armProviders } from './arm/providers.ts';
import { createBlobService } from './blob-service.ts';
import type { Clock } from './clock.ts';
import { CLIENT_IDS, SUBSCRIPTION_ID } from './constants.ts';
import { createControl } from './control.ts';
import { createWorld } from './create-world.ts';
import { createGraphService } from './entra/graph-service.ts';
import { createLoginService } from './entra/login-service.ts';
import { createManagedIdentityService } from './entra/managed-identity.ts';
import { TokenAuthority } from './entra/token-authority.ts';
import { createEventGrid, type EventGridOptions } from './event-grid/delivery.ts';
import { Faults } from './faults.ts';
import { createFileService } from './file-service.ts';
import { vaultExists } from './key-vault/keys.ts';
import { createKeyVaultService } from './key-vault/service.ts';
import { createLogAnalyticsService } from './log-analytics/service.ts';
import { createQueueService } from './queue-service.ts';
import { RECEIVER_HOST, type ReceivedNotification, Receiver } from './receiver.ts';
import { sampleFleet } from './sample-fleet.ts';
import type { Service } from './service.ts';
import { lookForNewVersions } from './storage/automatic-versions.ts';
import { createTableService } from './table-service.ts';
import { certificates } from './wire/certificates.ts';
import { clientEnvironment } from './wire/client-environment.ts';
import { createGateway } from './wire/gateway.ts';
import { listen } from './wire/listen.ts';
import { createProxy } from './wire/proxy.ts';
import { RequestLog } from './wire/request-log.ts';
import { startStorageFront } from './wire/storage-front.ts';
import type { World, WorldSettings } from './world.ts';

export interface LocalAzureOptions {
  /** Folder of the CA and the server certificate. Created on the first start, reused afterwards. */
  readonly stateDir: string;
  /** Base URL of the local Functions host, for the delivery of events; undefined while it does not run. */
  readonly functionsHost?: () => string | undefined;
  readonly settings?: Partial<WorldSettings>;
  /** The content of the tenant at the start. */
  readonly fleet?: 'sample' | 'empty';
  /** Stores what Event Grid cannot deliver. */
  readonly writeDeadLetter?: EventGridOptions['writeDeadLetter'];
  /** Connection string of the app's storage. If given, {@link LocalAzure.storage} serves it, with faults. */
  readonly storage?: string | (() => string);
  /** Runs the app: the control API commands its processes, and its clocks follow the local Azure's. */
  readonly app?: AppControl;
}

/**
 * Node's default of five seconds ends just when a client on a busy machine sends: the client would report its lost
 * request.
 */
const KEEP_ALIVE_MS = 120_000;

/** A running local Azure. */
export interface LocalAzure {
  readonly world: World;
  readonly clock: Clock;
  readonly tokens: TokenAuthority;
  readonly faults: Faults;
  /** The request log. */
  readonly requests: RequestLog;
  /** The log of the app's storage, which is separate because the app polls its queues all the time. */
  readonly storageRequests: RequestLog;
  /** Connection string of the app's storage for the app. */
  readonly storage: string | undefined;
  /** Every event with its deliveries. */
  readonly events: readonly unknown[];
  /** The notifications that the receiver accepted at {@link RECEIVER_HOST}. */
  readonly received: readonly ReceivedNotification[];
  /** Environment variables that connect a client process (Node, Python, curl) to the local Azure. */
  readonly env: Record<string, string>;
  /** An owner's sign-in, as environment variables of the Azure SDKs. */
  readonly owner: Record<
    'AZURE_TENANT_ID' | 'AZURE_SUBSCRIPTION_ID' | 'AZURE_CLIENT_ID' | 'AZURE_CLIENT_SECRET',
    string
  >;
  readonly proxyUrl: string;
  readonly controlUrl: string;
  /** Entra ID for a browser: the origin at which users sign in to a page. */
  readonly signInUrl: string;
  close(): Promise<void>;
}

/** Starts the local Azure on free ports of 127.0.0.1. */
export async function startLocalAzure(options: LocalAzureOptions): Promise<LocalAzure> {
  const { caPath, cert, key } = await certificates(options.stateDir);
  const world = createWorld(options.settings);
  const { app } = options;
  if (app) world.clock.follow((offsetMs) => app.moveClock(offsetMs));

  const tokens = new TokenAuthority(world);
  const faults = new Faults();
  const requests = new RequestLog();
  const storageRequests = new RequestLog(20_000);

  const eventGrid = createEventGrid(world, {
    functionsHost: options.functionsHost ?? (() => undefined),
    takeDelivery: (functionName) => faults.takeDelivery(functionName),
    ...(options.writeDeadLetter ? { writeDeadLetter: options.writeDeadLetter } : {}),
  });

  world.publish = (event) => eventGrid.publish(event);
  world.publishChange = (event) => eventGrid.publish(event);
  if (options.fleet === 'sample') sampleFleet(world);

  const receiver = new Receiver(world.clock);
  const login = createLoginService(world, tokens);
  const services = router(world, login);
  const route = (host: string) => (host === RECEIVER_HOST ? receiver.service : services(host));
  const gateway = createGateway({ world, tokens, faults, log: requests, route });
  const azure = createHttpsServer({ cert, key, keepAlive: true, keepAliveTimeout: KEEP_ALIVE_MS }, gateway);

  azure.on('tlsClientError', () => {}); // a client that does not trust the CA reports it by its own error

  const resolves = (host: string) => !/\.(vault|managedhsm)\.azure\.net$/.test(host) || vaultExists(world, host);
  const proxy = createProxy(azure, world.clock, requests, resolves);
  const identitySecret = randomBytes(24).toString('hex');
  const identity = createHttpServer(
    onlyLocal(getRequestListener(createManagedIdentityService(world, tokens, identitySecret).fetch)),
  );

  const control = createHttpServer(
    onlyLocal(
      getRequestListener(
        createControl({
          world,
          faults,
          log: requests,
          storageLog: storageRequests,
          tokens,
          events: () => eventGrid.events,
          received: () => receiver.received,
          ...(app ? { app } : {}),
        }).fetch,
      ),
    ),
  );

  // The same Entra ID for a browser without the proxy and the CA.
  const signIn = createHttpServer(
    onlyLocal(getRequestListener(login.fetch as Parameters<typeof getRequestListener>[0])),
  );
  const behind = typeof options.storage === 'function' ? options.storage() : options.storage;
  const storage = behind && (await startStorageFront(behind, { clock: world.clock, faults, log: storageRequests }));
  const running = await Promise.all([listen(proxy), listen(identity), listen(control), listen(signIn)]);
  const [proxyPort, identityPort, controlPort, signInPort] = running.map(({ port }) => port);
  const proxyUrl = `http://127.0.0.1:${proxyPort}`;
  const owner = world.principals.get(CLIENT_IDS.owner);

  return {
    world,
    clock: world.clock,
    tokens,
    faults,
    requests,
    storageRequests,
    storage: storage ? storage.connectionString : undefined,
    events: eventGrid.events,
    received: receiver.received,
    env: clientEnvironment({
      proxyUrl,
      caPath,
      identityEndpoint: `http://127.0.0.1:${identityPort}/msi/token`,
      identityHeader: identitySecret,
    }),
    owner: {
      AZURE_TENANT_ID: world.tenantId,
      AZURE_SUBSCRIPTION_ID: world.subscriptions.keys().next().value ?? SUBSCRIPTION_ID,
      AZURE_CLIENT_ID: CLIENT_IDS.owner,
      AZURE_CLIENT_SECRET: owner?.secret ?? '',
    },
    proxyUrl,
    controlUrl: `http://127.0.0.1:${controlPort}`,
    signInUrl: `http://127.0.0.1:${signInPort}`,
    async close() {
      eventGrid.close();
      world.clock.stop();
      azure.closeAllConnections();
      await Promise.all(running.map(({ close }) => close()));
      if (storage) await storage.close();
    },
  };
}

function router(world: World, login: Service): (host: string) => Service | undefined {
  const named: Record<string, Service> = {
    'management.azure.com': createArmService(world, armProviders),
    'login.microsoftonline.com': login,
    'graph.microsoft.com': createGraphService(world),
    'api.loganalytics.io': createLogAnalyticsService(world),
  };

  const keyVault = createKeyVaultService(world);

  const dataServices: Readonly<Record<string, Service>> = {
    blob: createBlobService(world),
    file: createFileService(world),
    queue: createQueueService(world),
    table: createTableService(world),
  };

  return (host) => {
    if (/\.(vault|managedhsm)\.azure\.net$/.test(host)) return keyVault;
    const [, dataService = ''] = /\.(\w+)\.core\.windows\.net$/.exec(host) ?? [];
    if (Object.hasOwn(dataServices, dataService)) {
      const account = world.storageAccounts.get(host.slice(0, host.indexOf('.')));
      if (account) lookForNewVersions(world, account); // the version that Storage uses by now counts
      return dataServices[dataService];
    }
    return named[host];
  };
}
