import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Environment } from './app-settings.ts';
import type { HttpCookie, HttpData, TypedData } from './core-types.ts';

/** The real host's own limit (ScriptConstants.DefaultMaxRequestBodySize), in bytes. */
const DEFAULT_MAX_BODY_BYTES = 104_857_600;

/**
 * Maximum size of a body in bytes. As in the real host (HttpRequestBodySizeMiddleware), a setting that is no whole
 * number means the default.
 */
export function maxBodyBytes({ FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: limit = '' }: Environment): number {
  return /^\s*\d+\s*$/.test(limit) ? Number(limit) : DEFAULT_MAX_BODY_BYTES;
}

/** Reads a whole body. Undefined as soon as it is larger than `maxBytes`; the rest is not read. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** How long a client may take to read the refusal of its body, before the connection is closed. */
const LINGER_MS = 1_000;

/**
 * Answers 413 and reads no more of the body. Node would read it all, or reset the connection before the client has the
 * answer, so this writes the answer to the socket, and the client closes.
 */
export function refuseBody({ socket }: IncomingMessage): void {
  socket.end('HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  const cut = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(cut));
}

/** A request in the form that the host passes to the worker. */
export function toHttpData(request: IncomingMessage, url: URL, params: Record<string, string>, body: Buffer): HttpData {
  const data: HttpData = {
    url: url.href,
    method: request.method ?? 'GET',
    nullableQuery: nullable(joinedQuery(url.searchParams)),
    nullableHeaders: nullable(joinedHeaders(request)),
    nullableParams: nullable(params),
  };

  // Without a Content-Length (a chunked request) the real host drops the body.
  if (Number(request.headers['content-length'] ?? 0) > 0) data.body = { bytes: body };
  return data;
}

/** `?q=1&q=2` becomes `q = "1,2"`. Names that differ only in case are the same; the first spelling stays. */
function joinedQuery(query: URLSearchParams): Record<string, string> {
  const joined = new Map<string, { name: string; values: string[] }>();
  for (const [name, value] of query) {
    const entry = joined.get(name.toLowerCase());
    if (entry) entry.values.push(value);
    else joined.set(name.toLowerCase(), { name, values: [value] });
  }
  return Object.fromEntries([...joined.values()].map(({ name, values }) => [name, values.join(',')]));
}

function joinedHeaders(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headersDistinct).map(([name, values]) => [name, (values ?? []).join(',')]),
  );
}

function nullable(values: Record<string, string>): Record<string, { value: string }> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]));
}

/** Writes a function's reply; 204 if the function returned nothing. */
export function sendHttpData(response: ServerResponse, data: HttpData | undefined): void {
  if (!data) {
    response.writeHead(204).end();
    return;
  }

  response.statusCode = Number(data.statusCode ?? 200);

  for (const [name, value] of Object.entries(data.headers ?? {})) {
    // The server sets length and framing.
    if (!/^(?:content-length|transfer-encoding|connection)$/i.test(name)) response.setHeader(name, value);
  }

  for (const cookie of data.cookies ?? []) response.appendHeader('Set-Cookie', serializeCookie(cookie));

  const body = toBytes(data.body);
  if (response.statusCode !== 204 && response.statusCode !== 304) response.setHeader('Content-Length', body.length);

  response.end(body);
}

function toBytes(data: TypedData | null | undefined): Uint8Array {
  if (data?.bytes) return data.bytes;
  return Buffer.from(data?.string ?? data?.json ?? '');
}

function serializeCookie(cookie: HttpCookie): string {
  const sameSite = { lax: 'lax', strict: 'strict', explicitNone: 'none', none: undefined }[cookie.sameSite ?? 'none'];
  const seconds = cookie.expires?.value?.seconds;

  return [
    `${encodeURIComponent(cookie.name ?? '')}=${encodeURIComponent(cookie.value ?? '')}`,
    seconds !== undefined && `expires=${new Date(Number(seconds) * 1000).toUTCString()}`,
    cookie.maxAge?.value !== undefined && `max-age=${Math.trunc(cookie.maxAge.value)}`,
    cookie.domain?.value && `domain=${cookie.domain.value}`,
    `path=${cookie.path?.value ?? '/'}`,
    cookie.secure?.value && 'secure',
    sameSite && `samesite=${sameSite}`,
    cookie.httpOnly?.value && 'httponly',
  ]
    .filter(Boolean)
    .join('; ');
}
