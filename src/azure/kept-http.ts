import { Agent } from 'node:https';
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';
import { HttpsProxyAgent } from 'https-proxy-agent';

/** Tunnels for https alone. */
class KeptTunnels extends HttpsProxyAgent<string> {
  /** Told by each request's stack trace otherwise, which is another one when its connection is put back: it is not found again. */
  override isSecureEndpoint(): boolean {
    return true;
  }
}

/**
 * The HTTP client of the Azure SDKs, by connections of its own, which are kept. Through a proxy (`HTTPS_PROXY`) as well: by
 * the agent with which the SDKs go through one, each request opens a tunnel and does a handshake, which take longer than
 * most answers. When a request failed without an answer, those to the same host that are idle are given up: what killed its
 * connection may have killed them too, and the second try of a revocation must not be spent on finding out.
 */
export function createKeptHttp(http: HttpClient = createDefaultHttpClient()): HttpClient {
  const direct = new Agent({ keepAlive: true });
  const tunnels = new Map<string, KeptTunnels>();
  const agentFor = (given: unknown): Agent | KeptTunnels => {
    // Which requests go through a proxy, and through which, the SDK decides.
    const proxy = proxyOf(given);
    if (proxy === undefined) return direct;
    const agent = tunnels.get(proxy) ?? new KeptTunnels(proxy, { keepAlive: true });
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

function giveUpIdle({ freeSockets }: Agent | KeptTunnels, host: string): void {
  for (const [name, sockets = []] of Object.entries(freeSockets)) {
    if (name.startsWith(`${host}:`)) for (const socket of [...sockets]) socket.destroy();
  }
}
