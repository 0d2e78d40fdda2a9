import type { ClientRequest, Agent as HttpAgent } from 'node:http';
import { Agent } from 'node:https';
import type { Socket } from 'node:net';
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';
import { HttpsProxyAgent } from 'https-proxy-agent';

type TunnelOptions = Parameters<HttpsProxyAgent<string>['connect']>[1];

/**
 * Longest time until a proxy has opened a tunnel. A request that was given up does not reach a connection that it has not
 * got yet: it would stay open for as long as the proxy is silent. Milliseconds.
 */
const TUNNEL_MS = 10_000;

/** An idle connection is kept for so long: what lies between drops those of some minutes, and does not say so. Milliseconds. */
const IDLE_MS = 60_000;

export const KEPT = { keepAlive: true, timeout: IDLE_MS } as const;

class KeptTunnels extends HttpsProxyAgent<string> {
  constructor(proxy: string, idleMs: number) {
    super(proxy, { keepAlive: true });
    // The base class does not pass its options to where Node reads them.
    this.options.timeout = idleMs;
  }

  /** Else the agent derives it from a stack trace, which differs when a connection returns to the pool: none would be reused. */
  override isSecureEndpoint(): boolean {
    return true;
  }

  /** @throws when there is no tunnel: what a proxy answers would be taken for an answer of Azure, a 404 or a 202 say. */
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
 * The HTTP client of the Azure SDKs, by connections of its own, which are kept. Through a proxy (`HTTPS_PROXY`) as well: by
 * the agent with which the SDKs go through one, each request opens a tunnel and does a handshake, which take longer than
 * most answers. When a request got no answer, or is given up, the idle connections to its host are closed: what killed its
 * own may have killed them too, and the second try of a revocation must not be spent on finding out.
 */
export function createKeptHttp(idleMs = IDLE_MS): HttpClient {
  const http = createDefaultHttpClient();
  const direct = new Agent({ ...KEPT, timeout: idleMs });
  const tunnels = new Map<string, KeptTunnels>();
  const agentFor = (given: unknown): Agent | KeptTunnels => {
    // Which requests go through a proxy, and through which, the SDK decides.
    const proxy = proxyOf(given);
    if (proxy === undefined) return direct;
    const agent = tunnels.get(proxy) ?? new KeptTunnels(proxy, idleMs);
    tunnels.set(proxy, agent);
    return agent;
  };
  return {
    async sendRequest(request) {
      const { protocol, hostname } = new URL(request.url);
      if (protocol !== 'https:') return http.sendRequest(request);
      const agent = agentFor(request.agent);
      request.agent = agent;
      const { abortSignal } = request;
      const giveUp = (): void => giveUpIdle(agent, hostname);
      abortSignal?.addEventListener('abort', giveUp);
      try {
        return await http.sendRequest(request);
      } catch (error) {
        giveUp();
        throw error;
      } finally {
        abortSignal?.removeEventListener('abort', giveUp);
      }
    },
  };
}

function proxyOf(agent: unknown): string | undefined {
  const { proxy } = (agent ?? {}) as { readonly proxy?: unknown };
  return proxy instanceof URL ? proxy.href : undefined;
}

/** Closes the connections to a host that wait for a request. */
export function giveUpIdle({ freeSockets }: HttpAgent, host: string): void {
  for (const [name, sockets = []] of Object.entries(freeSockets)) {
    if (name.startsWith(`${host}:`)) for (const socket of [...sockets]) socket.destroy();
  }
}
