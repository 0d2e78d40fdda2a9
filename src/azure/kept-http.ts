import type { ClientRequest, Agent as HttpAgent } from 'node:http';
import { Agent } from 'node:https';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';
import { HttpsProxyAgent } from 'https-proxy-agent';

type TunnelOptions = Parameters<HttpsProxyAgent<string>['connect']>[1];

/**
 * Deadline for a proxy to open a tunnel, in milliseconds. Aborting a request does not close a connection that is still
 * being opened, which would stay open while the proxy is silent.
 */
const TUNNEL_MS = 10_000;

/**
 * Idle time after which a connection is closed, in milliseconds. Proxies and firewalls silently drop older connections.
 */
const IDLE_MS = 60_000;

export const KEPT = { keepAlive: true, timeout: IDLE_MS } as const;

class KeptTunnels extends HttpsProxyAgent<string> {
  constructor(proxy: string, options: { readonly timeout: number; readonly secureContext: SecureContext }) {
    super(proxy, { keepAlive: true });
    // The base class does not pass these options to Node.
    Object.assign(this.options, options);
  }

  /**
   * The base class derives this from a stack trace, which differs when a connection returns to the pool and prevents
   * reuse.
   */
  override isSecureEndpoint(): boolean {
    return true;
  }

  /** @throws without a tunnel: a proxy's answer (404 or 202) would look like Azure's answer. */
  override async connect(request: ClientRequest, options: TunnelOptions): Promise<Socket> {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), TUNNEL_MS);

    this.connectOpts = { ...this.connectOpts, signal: limit.signal };

    let status = 0;

    request.once('proxyConnect', (answer: { readonly statusCode: number }) => {
      status = answer.statusCode;
    });

    try {
      const socket = await super.connect(request, options);
      if (status === 200) return socket;
      socket.destroy();
    } finally {
      clearTimeout(timer);
    }

    throw new Error(`The proxy ${this.proxy.host} opened no connection to ${options.host}: it answered ${status}.`);
  }
}

/**
 * The HTTP client of the Azure SDKs, with keep-alive connections. The SDKs' own proxy agent opens a tunnel and does a
 * TLS handshake for each request, which takes longer than most answers. After a request without an answer, the client
 * closes the idle connections to its host: the same network failure may have broken them, and a revocation must not
 * waste its retry on a broken connection.
 */
export function createKeptHttp(idleMs = IDLE_MS): HttpClient {
  const http = createDefaultHttpClient();

  // All connections share one TLS context, since a context per connection needs 18 KiB: `ca`, `cert` and `key` of a
  // request have no effect. The first request creates it, since that takes 10 to 30 ms.
  let secureContext: SecureContext | undefined;
  let direct: Agent | undefined;
  const tunnels = new Map<string, KeptTunnels>();
  const agentFor = (given: unknown): Agent | KeptTunnels => {
    // The SDK selects the proxy for each request.
    const proxy = proxyOf(given);

    secureContext ??= createSecureContext();

    const options = { timeout: idleMs, secureContext };

    if (proxy === undefined) {
      direct ??= new Agent({ ...KEPT, ...options });
      return direct;
    }

    const agent = tunnels.get(proxy) ?? new KeptTunnels(proxy, options);

    tunnels.set(proxy, agent);

    return agent;
  };

  return {
    async sendRequest(request) {
      const { protocol, hostname } = new URL(request.url);
      if (protocol !== 'https:') return http.sendRequest(request);

      const agent = agentFor(request.agent);
      request.agent = agent;
      try {
        return await http.sendRequest(request);
      } catch (error) {
        giveUpIdle(agent, hostname);
        throw error;
      }
    },
  };
}

function proxyOf(agent: unknown): string | undefined {
  const { proxy } = (agent ?? {}) as { readonly proxy?: unknown };
  return proxy instanceof URL ? proxy.href : undefined;
}

/** Closes idle connections to a host. */
function giveUpIdle({ freeSockets }: HttpAgent, host: string): void {
  for (const [name, sockets = []] of Object.entries(freeSockets)) {
    if (name.startsWith(`${host}:`)) {
      for (const socket of [...sockets]) socket.destroy();
    }
  }
}
