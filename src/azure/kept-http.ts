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
 * The HTTP client of the Azure SDKs, keeping its connections through a proxy (`HTTPS_PROXY`) too: by the agent with which
 * the SDKs go through one, each request opens a tunnel and does a handshake, which take longer than most answers.
 */
export function createKeptHttp(http: HttpClient = createDefaultHttpClient()): HttpClient {
  const tunnels = new Map<string, KeptTunnels>();
  return {
    sendRequest(request) {
      // Which requests go through a proxy, and through which, the SDK decides.
      const proxy = proxyOf(request.agent);
      if (proxy !== undefined && request.url.startsWith('https:')) {
        const agent = tunnels.get(proxy) ?? new KeptTunnels(proxy, { keepAlive: true });
        tunnels.set(proxy, agent);
        request.agent = agent;
      }
      return http.sendRequest(request);
    },
  };
}

function proxyOf(agent: unknown): string | undefined {
  const { proxy } = (agent ?? {}) as { readonly proxy?: unknown };
  return proxy instanceof URL ? proxy.href : undefined;
}
