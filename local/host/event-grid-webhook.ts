import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RegisteredFunction } from './core-types.ts';
import type { Invoker } from './invoker.ts';

/** The path for Event Grid's deliveries: `POST /runtime/webhooks/eventgrid?functionName=…&code=…`. */
export const EVENT_GRID_PATH = '/runtime/webhooks/eventgrid';

interface Reply {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** Answers a request of Event Grid as the Event Grid extension does. */
export async function handleEventGrid(
  functions: ReadonlyMap<string, RegisteredFunction>,
  invoker: Invoker,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
): Promise<void> {
  let reply: Reply;
  try {
    reply = await answer(functions, invoker, url, request, body);
  } catch (error) {
    // The extension does not catch the exception for a body that does not match its header.
    reply = { status: 500, body: error instanceof Error ? error.message : String(error) };
  }

  response.writeHead(reply.status, { ...reply.headers }).end(reply.body);
}

async function answer(
  functions: ReadonlyMap<string, RegisteredFunction>,
  invoker: Invoker,
  url: URL,
  request: IncomingMessage,
  body: string,
): Promise<Reply> {
  const name = parameter(url, 'functionName');
  const fn = name === undefined ? undefined : functions.get(name);
  if (!fn) return { status: 404, body: `cannot find function: '${name ?? ''}'` };

  const origin = request.headers['webhook-request-origin'];
  if (request.method === 'OPTIONS' && typeof origin === 'string') {
    return { status: 200, headers: { 'WebHook-Allowed-Origin': origin } };
  }

  switch (String(request.headers['aeg-event-type'] ?? '').toLowerCase()) {
    case 'subscriptionvalidation':
      return {
        status: 200,
        headers: { 'Content-Type': 'application/json; charset=utf-8' },
        body: JSON.stringify({ validationResponse: validationCode(JSON.parse(body)) }),
      };
    case 'notification':
      return notify(fn, invoker, JSON.parse(body));
    case 'unsubscribe':
      return { status: 202 };
    default:
      return { status: 400 };
  }
}

/** Compares the names in a query without regard to case, but not the values. */
function parameter(url: URL, name: string): string | undefined {
  for (const [key, value] of url.searchParams) {
    if (key.toLowerCase() === name.toLowerCase()) return value;
  }
  return undefined;
}

/** An array contains the event. A single CloudEvent has its data encoded twice. */
function validationCode(body: unknown): string {
  const event = (Array.isArray(body) ? body[0] : body) as { data?: unknown } | undefined;
  const data = typeof event?.data === 'string' ? JSON.parse(event.data) : event?.data;
  const code = (data as { validationCode?: unknown } | undefined)?.validationCode;
  if (typeof code !== 'string') throw new TypeError('The validation event holds no data.validationCode.');
  return code;
}

/** One run for each event, in parallel. If one fails, the delivery fails, and Event Grid sends all events again. */
async function notify(fn: RegisteredFunction, invoker: Invoker, body: unknown): Promise<Reply> {
  if (typeof body !== 'object' || body === null) throw new TypeError('The body is neither a JSON object nor an array.');

  const events: unknown[] = Array.isArray(body) ? body : [body];
  const runs = await Promise.allSettled(
    events.map(async (event) => {
      const data = (event as { data?: unknown } | null)?.data;
      return invoker.invoke(fn, {
        reason: 'EventGrid',
        data: { json: JSON.stringify(event) },
        ...(data === undefined ? {} : { metadata: { data: { json: JSON.stringify(data) } } }),
      });
    }),
  );

  const failed = runs.find((run) => run.status === 'rejected');
  if (!failed) return { status: 202 };

  return { status: 500, body: failed.reason instanceof Error ? failed.reason.message : String(failed.reason) };
}
