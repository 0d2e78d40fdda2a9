import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import type { z } from 'zod';
import type { Act, RouteKey } from '../http/access.ts';
import type { AnswerContext } from '../http/problem.ts';
import type { ParameterTable, QueryOf } from '../http/query.ts';
import type { Role } from '../http/roles.ts';
import type { Caller } from '../http/token-claims.ts';
import type { Log } from '../log.ts';
import type { Refusal } from '../refusals.ts';
import type { Services } from '../services.ts';

/** A call that was let through, as its handler sees it. */
export interface Call<Q = unknown, B = unknown> extends AnswerContext {
  readonly request: Pick<HttpRequest, 'headers' | 'params' | 'url'>;
  readonly query: Q;
  /** Reads and checks the body. @throws {@link HttpProblem} 400, 413, 415 */
  readonly body: () => Promise<B>;
  readonly caller: Caller;
  readonly services: Services;
  readonly log: Log;
  /** Whether the caller's role reaches a key; without one, the whole fleet. */
  readonly reaches: (key: RouteKey | undefined) => boolean;
  /** For a route that tells only by what it holds which key it is about. @throws {@link HttpProblem} 403 */
  readonly require: (key: RouteKey | undefined) => void;
  /** Marks a revocation as valid: from then on it has used its allowance of revocations. */
  readonly markValid: () => void;
}

/** Schemas by the names that they have in the OpenAPI document; one name as a rule. */
export type Named = Readonly<Record<string, z.ZodType>>;

interface RouteAnswer {
  readonly description: string;
  readonly schema?: Named;
  /** Another form in which it is had by `Accept`: text. */
  readonly text?: string;
}

/** One call of the API: registration, access check, rate limit and the OpenAPI document are made of it. */
interface RouteDefinition<Q extends ParameterTable, B extends Named> {
  /** Of the operation in the document. */
  readonly id: string;
  /** Of the Azure function, if another: of two routes that fit a path the host takes the one that comes first by name. */
  readonly functionName?: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Path below `/api`, with `{parameters}`. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  /** App role that the call takes. */
  readonly role: Role;
  /** What a narrowed role reaches: the key that the path names, the whole fleet or nothing, or what the handler checks. */
  readonly reach: 'key' | 'fleet' | 'handler';
  /** What the call does; absent: it reads if it is a GET, else it changes. */
  readonly act?: Act;
  /** ParameterTable of the path. */
  readonly params?: ParameterTable;
  /** Of the query. A route that takes `dryRun` only reads when it is `true`. */
  readonly query?: Q;
  readonly body?: B;
  /** Success answers by status. */
  readonly answers: Readonly<Record<number, RouteAnswer>>;
  /** The answer carries an ETag, and is 304 to a caller that sends it as `If-None-Match`. */
  readonly conditional?: true;
  /** Beside those that every call with a role or a body has. A pair has another status than the table of refusals. */
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
