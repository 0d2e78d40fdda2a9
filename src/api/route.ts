import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import type { z } from 'zod';
import type { Log } from '../errors/log.ts';
import type { Refusal } from '../errors/refusals.ts';
import type { Act, RouteKey } from '../http/access.ts';
import type { AnswerContext } from '../http/problem.ts';
import type { ParameterTable, QueryOf } from '../http/query.ts';
import type { Role } from '../http/roles.ts';
import type { Caller } from '../http/token-claims.ts';
import type { Services } from '../services.ts';

/** An admitted call, as passed to its handler. */
export interface Call<Q = unknown, B = unknown> extends AnswerContext {
  readonly request: Pick<HttpRequest, 'headers' | 'params' | 'url'>;
  readonly query: Q;
  /** Reads and validates the body. @throws {@link HttpProblem} 400, 413, 415 */
  readonly body: () => Promise<B>;
  readonly caller: Caller;
  readonly services: Services;
  readonly log: Log;
  /** Whether the caller's role reaches a key; without a key, whether it reaches the whole fleet. */
  readonly reaches: (key: RouteKey | undefined) => boolean;
  /** Checks that the caller's role reaches a key that the handler determines. @throws {@link HttpProblem} 403 */
  readonly require: (key: RouteKey | undefined) => void;
}

/** Schemas by name in the OpenAPI document; usually a single schema. */
export type Named = Readonly<Record<string, z.ZodType>>;

interface RouteAnswer {
  readonly description: string;
  readonly schema?: Named;
}

/** Method and role of a call that reads, and of a change by an operator. */
export const READ = { method: 'GET', role: 'CmkKey.Read' } as const;
export const OPERATE = { method: 'POST', role: 'Cmk.Operate' } as const;

/** The answers of a call with a single success answer. */
export const ok = (description: string, schema: Named): Readonly<Record<number, RouteAnswer>> => ({
  200: { description, schema },
});

/** A call of the API: source of its registration, access check, rate limit and OpenAPI description. */
interface RouteDefinition<Q extends ParameterTable, B extends Named> {
  /**
   * Operation id in the OpenAPI document, and name of the Azure function. If two routes match, the host uses the first
   * by name.
   */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Path below `/api`, with `{parameters}`. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  /** App role that the caller needs. */
  readonly role: Role;
  /**
   * Scope that the role must reach: the key in the path, the whole fleet, or the keys that the handler passes to
   * `require`.
   */
  readonly reach: 'key' | 'fleet' | 'handler';
  /** Kind of call for limits and step-up; absent: a GET is a read, every other method is a change. */
  readonly act?: Act;
  /** Parameters of the path. */
  readonly params?: ParameterTable;
  /** Parameters of the query. With `dryRun=true` the call counts as a read. */
  readonly query?: Q;
  readonly body?: B;
  /** Success answers by status. */
  readonly answers: Readonly<Record<number, RouteAnswer>>;
  /** The answer has an ETag. A caller that sends the ETag as `If-None-Match` gets 304 while nothing has changed. */
  readonly conditional?: true;
  /** Rejections beyond those of every call with a role or a body. A pair overrides the status in `refusals.ts`. */
  readonly refusals?: readonly (Refusal | readonly [Refusal, number])[];
  handle(call: Call<QueryOf<Q>, z.output<B[keyof B]>>): Promise<HttpResponseInit>;
}

export type Route = RouteDefinition<ParameterTable, Named>;

/** Declares a route, so that its handler knows the types of its query and body. */
export function route<Q extends ParameterTable = Record<never, never>, B extends Named = Record<never, never>>(
  definition: RouteDefinition<Q, B>,
): Route {
  return definition as unknown as Route;
}
