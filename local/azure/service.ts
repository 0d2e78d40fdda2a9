import type { Hono } from 'hono';
import type { Principal } from './world.ts';

/** Who calls, as the validated bearer token says; the server sets it before a service sees the request. */
export interface Caller {
  readonly principal: Principal;
  /** The token's `aud`. */
  readonly audience: string;
  /** Everything that the token says. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/**
 * What each service's routes find in their context. `caller` is undefined when the request has no bearer token, or one
 * that does not verify: each service refuses in its own words.
 */
export interface ServiceEnv {
  Variables: { caller: Caller | undefined };
}

/** One Azure service: it is handed requests whose URL carries Azure's own host name. */
export type Service = Hono<ServiceEnv>;

/** The error envelope of ARM and Key Vault. */
export function azureError(code: string, message: string, innerCode?: string): Record<string, unknown> {
  return { error: { code, message, ...(innerCode ? { innererror: { code: innerCode } } : {}) } };
}
