import type { Caller } from '../service.ts';
import type { World } from '../world.ts';
import type { ArmPath } from './arm-path.ts';
import type { Operations } from './operations.ts';

/** A request after authentication and authorization, with its path and body parsed. */
export interface ArmRequest {
  readonly world: World;
  readonly method: string;
  readonly path: ArmPath;
  readonly query: URLSearchParams;
  readonly apiVersion: string;
  /** The JSON body; `{}` if there is none. */
  readonly body: Record<string, unknown>;
  readonly caller: Caller;
  readonly operations: Operations;
  /** A request header. Only the storage provider's snapshots need one. */
  header(name: string): string | undefined;
  /** Throws LinkedAuthorizationFailed unless the caller may do `action` on a resource that the body refers to. */
  authorizeLinked(action: string, scope: string): void;
}

export type ArmHandler = (request: ArmRequest) => Response | Promise<Response>;

/**
 * Handlers of a resource provider by method and pattern (see `ArmPath.pattern`): `'GET
 * microsoft.storage/storageaccounts/{}'`.
 */
export type ArmRoutes = Record<string, ArmHandler>;

/** A JSON answer, 200 by default. */
export function ok(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { 'content-type': 'application/json; charset=utf-8', ...headers } });
}

/** The `n`-th name of the path. The pattern of the route guarantees that it exists. */
export function nameAt(request: ArmRequest, n: number): string {
  const name = request.path.names[n];
  if (name === undefined) throw new Error(`${request.path.pattern} has no name ${n}`);
  return name;
}
