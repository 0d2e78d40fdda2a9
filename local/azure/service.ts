import type { Hono } from 'hono';
import type { Principal } from './world.ts';

/** The caller in the validated bearer token. The server sets it before it calls a service. */
export interface Caller {
  readonly principal: Principal;
  /** The token's `aud`. */
  readonly audience: string;
  /** All claims of the token. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/**
 * The context of each service's routes. `caller` is undefined without a valid bearer token: each service has its own
 * refusal.
 */
export interface ServiceEnv {
  Variables: { caller: Caller | undefined };
}

/** An Azure service. It gets requests whose URL has Azure's own host name. */
export type Service = Hono<ServiceEnv>;

/** The error envelope of ARM and Key Vault. */
export function azureError(code: string, message: string, innerCode?: string): Record<string, unknown> {
  return { error: { code, message, ...(innerCode ? { innererror: { code: innerCode } } : {}) } };
}
