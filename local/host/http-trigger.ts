import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Environment, resolveSettings } from './app-settings.ts';
import type { Binding, RegisteredFunction } from './core-types.ts';
import { sendHttpData, toHttpData } from './http-message.ts';
import { parseRoute, type Route } from './http-route.ts';
import type { Invoker } from './invoker.ts';

export interface HttpFunction {
  readonly fn: RegisteredFunction;
  readonly methods: ReadonlySet<string>;
  readonly route: Route;
  readonly template: string;
}

/** The HTTP functions in the order in which the host tries their routes: by name. */
export function httpFunctions(
  functions: Iterable<readonly [RegisteredFunction, Binding]>,
  prefix: string,
  env: Environment,
): HttpFunction[] {
  return [...functions]
    .sort(([a], [b]) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .map(([fn, binding]) => {
      const own = typeof binding.route === 'string' ? resolveSettings(binding.route, env) : fn.metadata.name;
      const template = [prefix, own.replaceAll(/^\/+|\/+$/g, '')].filter(Boolean).join('/');
      const methods = Array.isArray(binding.methods)
        ? binding.methods.map((method) => String(method).toUpperCase())
        : [];
      return { fn, template, methods: new Set(methods), route: parseRoute(template) };
    });
}

/** Calls the first function whose route and method match. A wrong method is 404, not 405, as in Azure. */
export async function handleHttp(
  functions: readonly HttpFunction[],
  invoker: Invoker,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
): Promise<void> {
  for (const { fn, methods, route } of functions) {
    const params = methods.has(request.method ?? '') ? route.match(url.pathname) : undefined;
    if (!params) continue;

    try {
      const http = toHttpData(request, url, params, body);
      const reply = await invoker.invoke(fn, { reason: 'HTTP', data: { http } });
      sendHttpData(response, reply.returnValue?.http);
    } catch {
      // The invoker has logged the error; the client gets no details.
      response.writeHead(500, { 'Content-Length': 0 }).end();
    }

    return;
  }

  response.writeHead(404, { 'Content-Length': 0 }).end();
}
