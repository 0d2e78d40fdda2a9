import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Why a server of the local run refuses a request, in one sentence; undefined if it does not. A page in the developer's
 * browser reaches 127.0.0.1 too. With a host name that resolves to 127.0.0.1 (DNS rebinding) it could even read the
 * answers; its requests then have that name in `Host`.
 */
export function whyNotLocal({ headers }: IncomingMessage): string | undefined {
  return isLoopback(headers.host)
    ? undefined
    : 'The local run answers under 127.0.0.1, localhost and [::1] alone. Call it by one of these.';
}

/** @param host value of the header `Host`, with or without a port */
function isLoopback(host: string | undefined): boolean {
  return /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])(?::\d{1,5})?$/i.test(host ?? '');
}

/**
 * Why a body is refused; undefined if it may be read as JSON. A form or a script of another site can send any text
 * without a preflight, except text that is declared as JSON: for that a browser sends a CORS preflight, which gets no
 * answer. A browser adds `Origin` to each POST (Fetch standard), so a request without it, as from `curl -d`, comes from
 * no page.
 */
export function whyNotJson(headers: {
  readonly 'content-type'?: string;
  readonly origin?: string;
}): string | undefined {
  const isJson = /^application\/(?:[\w.-]+\+)?json[ \t]*(?:;|$)/i.test(headers['content-type'] ?? '');
  return isJson || headers.origin === undefined
    ? undefined
    : 'The body of a page must be JSON: send the header "Content-Type: application/json".';
}

/** Serves requests with a loopback name, and answers 421 (Misdirected Request) to all others. */
export function onlyLocal(
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const why = whyNotLocal(request);
    if (why === undefined) return listener(request, response);
    request.resume();
    response.writeHead(421, { 'content-type': 'application/json' }).end(`${JSON.stringify({ error: why })}\n`);
  };
}
