import { afterAll, beforeAll } from 'vitest';
import { type LocalAzure, type LocalAzureOptions, startLocalAzure } from '../../local/azure/server.ts';

/**
 * Starts a local Azure for a test file and makes this process its client: the SDKs and `fetch` reach it under Azure's own
 * names. The handle may be used once the tests run.
 */
export function useLocalAzure(options: Omit<LocalAzureOptions, 'stateDir'> = {}): { readonly azure: LocalAzure } {
  const held: { azure?: LocalAzure } = {};
  let restore = () => {};

  beforeAll(async () => {
    held.azure = await startLocalAzure({
      // A test that waits for a resource to be provisioned says so; the others need not.
      ...options,
      settings: { instantProvisioning: true, ...options.settings },
      stateDir: stateDir(),
    });
    restore = joinLocalAzure(held.azure);
  });

  afterAll(async () => {
    restore();
    await held.azure?.close();
  });

  return {
    get azure(): LocalAzure {
      if (!held.azure) throw new Error('The local Azure starts before the tests, not while they are collected.');
      return held.azure;
    },
  };
}

/** Where the CA is that this process was started to trust. */
export function stateDir(): string {
  const dir = process.env.LOCAL_AZURE_STATE;
  if (!dir) throw new Error('LOCAL_AZURE_STATE is not set: run the tests by vitest, whose global setup makes the CA.');
  return dir;
}

/** Makes this process a client of a local Azure; returns how to undo that. Needs the CA of the global setup. */
function joinLocalAzure(azure: LocalAzure): () => void {
  const before = Object.fromEntries(Object.keys(azure.env).map((name) => [name, process.env[name]]));

  Object.assign(process.env, azure.env);

  const restoreFetch = proxyFetch();

  return () => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    restoreFetch();
  };
}

/**
 * Node's `fetch` read the proxy's address when the process started. Its dispatcher is a proxy agent then, and a new one
 * of the same class reads the environment as it is now.
 */
function proxyFetch(): () => void {
  const holder = globalThis as unknown as Record<symbol, { constructor: new () => object } | undefined>;
  const symbol = Symbol.for('undici.globalDispatcher.1');
  const before = holder[symbol];
  if (before?.constructor.name !== 'EnvHttpProxyAgent') {
    throw new Error('fetch has no proxy agent: the process was not started with NODE_USE_ENV_PROXY and HTTPS_PROXY.');
  }

  const agent = new before.constructor();

  holder[symbol] = agent as { constructor: new () => object };

  return () => {
    holder[symbol] = before;
  };
}
