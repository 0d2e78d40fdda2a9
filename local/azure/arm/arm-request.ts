import type { Caller } from '../service.ts';
import type { World } from '../world.ts';
import type { ArmPath } from './arm-path.ts';
import type { Operations } from './operations.ts';

/** What a handler of a resource provider gets: an authenticated, authorised, parsed request. */
export interface ArmRequest {
  readonly world: World;
  readonly method: string;
  readonly path: ArmPath;
  readonly query: URLSearchParams;
  readonly apiVersion: string;
  /** The JSON body; `{}` when there is none. */
  readonly body: Record<string, unknown>;
  readonly caller: Caller;
  readonly operations: Operations;
  /** A header of the request, which only the storage provider's snapshots need. */
  header(name: string): string | undefined;
  /** Throws LinkedAuthorizationFailed unless the caller may do `action` on a resource that the body refers to. */
  authorizeLinked(action: string, scope: string): void;
}

export type ArmHandler = (request: ArmRequest) => Response | Promise<Response>;

/**
 * A resource provider's handlers by method and pattern (see `ArmPath.pattern`), for instance
 * `'GET microsoft.storage/storageaccounts/{}'`.
 */
export type ArmRoutes = Record<string, ArmHandler>;

/** 200 with a JSON body. */
export function ok(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { 'content-type': 'application/json; charset=utf-8', ...headers } });
}

/** The `n`-th name of the path; the pattern that led here guarantees that it is there. */
export function nameAt(request: ArmRequest, n: number): string {
  const name = request.path.names[n];
  if (name === undefined) throw new Error(`${request.path.pattern} has no name ${n}`);
  return name;
}
