import type { IncomingMessage, ServerResponse } from 'node:http';
import { whyNotJson } from '../loopback.ts';
import type { RegisteredFunction, TypedData } from './core-types.ts';
import type { Invoker } from './invoker.ts';
import { triggerData } from './queue-message.ts';

export interface AdminContext {
  /** By name. The host's admin API ignores case. */
  readonly functions: ReadonlyMap<string, RegisteredFunction>;
  readonly invoker: Invoker;
  /** Trigger type of a function, such as `timerTrigger`. */
  readonly triggerType: (fn: RegisteredFunction) => string;
  /** The trigger value for a timer function. */
  readonly timerData: (fn: RegisteredFunction) => TypedData;
  /** Why the app did not load; undefined if it did. */
  readonly failure: string | undefined;
}

/**
 * The part of the host's admin API that is useful locally, without Azure's master key: `GET /admin/host/status`, `GET
 * /admin/functions`, and `POST /admin/functions/{name}` with `{"input": "…"}`, which starts a function and answers 202
 * at once. As in the real host, the body has to be declared as JSON.
 */
export async function handleAdmin(
  context: AdminContext,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
): Promise<void> {
  const json = (status: number, value: unknown) =>
    response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' }).end(JSON.stringify(value));

  if (request.method === 'GET' && path === '/admin/host/status') {
    json(200, {
      state: context.failure === undefined ? 'Running' : 'Error',
      errors: context.failure === undefined ? [] : [context.failure],
      processId: process.pid,
      functionsRunning: context.invoker.running, // Azure's answer does not have it
    });

    return;
  }

  if (request.method === 'GET' && path === '/admin/functions') {
    const functions = [...context.functions.values()].map(({ metadata }) => ({
      name: metadata.name,
      config: { bindings: Object.entries(metadata.bindings).map(([name, binding]) => ({ ...binding, name })) },
    }));
    json(
      200,
      functions.sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
    return;
  }

  const [, name] = /^\/admin\/functions\/([^/]+)$/.exec(path) ?? [];
  const fn = name === undefined ? undefined : find(context.functions, decodeURIComponent(name));
  if (request.method !== 'POST' || !fn) {
    response.writeHead(404).end();
    return;
  }

  if (whyNotJson(request.headers) !== undefined) {
    response.writeHead(415).end();
    return;
  }

  const input = parseInput(body);
  if (input === undefined || context.triggerType(fn) === 'httptrigger') {
    response.writeHead(400).end();
    return;
  }

  const isTimer = context.triggerType(fn) === 'timertrigger';

  // The caller does not wait, and the invoker logs a failure.
  context.invoker
    .invoke(fn, {
      reason: 'This function was programmatically called via the host APIs.',
      data: isTimer ? context.timerData(fn) : triggerData(input),
    })
    .catch(() => undefined);

  response.writeHead(202).end();
}

function find(functions: ReadonlyMap<string, RegisteredFunction>, name: string): RegisteredFunction | undefined {
  for (const [key, fn] of functions) {
    if (key.toLowerCase() === name.toLowerCase()) return fn;
  }
  return undefined;
}

/** Undefined unless the body is `{"input": …}`. An input other than text is passed as its JSON. */
function parseInput(body: string): string | undefined {
  try {
    const { input } = JSON.parse(body) as { input?: unknown };
    if (input === undefined) return undefined;
    return typeof input === 'string' ? input : JSON.stringify(input);
  } catch {
    return undefined;
  }
}
