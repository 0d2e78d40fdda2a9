import type { JWTPayload } from 'jose';
import { z } from 'zod';
import { GUID } from './auth-config.ts';
import { ROLES, type Role } from './roles.ts';

/** Whoever calls, as the token says. */
export interface Caller {
  /** `oid`: the person or service principal, for good. The one to compare and to record. */
  readonly objectId: string;
  /** `azp` (v2.0) or `appid` (v1.0): the client that got the token. */
  readonly appId: string;
  readonly tenantId: string;
  /** A person signed in, or an application acting for itself. */
  readonly kind: 'user' | 'application';
  /** App roles of this API that the token carries; others are left out. */
  readonly roles: readonly Role[];
  /** `uti`: finds the sign-in in Entra ID's log. Absent in tokens of some test issuers. */
  readonly tokenId: string | undefined;
  /** To be shown to people. Can be changed by its owner, so nothing may ever be decided by it. */
  readonly name: string | undefined;
}

const guid = z.string().regex(GUID).toLowerCase();
const text = z.string().optional().catch(undefined);

/**
 * Claims of an access token. `azp`/`appid` is what an ID token lacks: one for the same client id must not open anything.
 * A token without `roles` is a caller without roles. Source: Entra ID, access token claims reference.
 */
const CLAIMS = z.object({
  aud: z.string(),
  tid: guid,
  oid: guid,
  ver: z.enum(['1.0', '2.0']),
  azp: guid.optional(),
  appid: guid.optional(),
  roles: z.array(z.string()).default([]),
  scp: z.string().optional(),
  uti: text,
  preferred_username: text,
  upn: text,
  unique_name: text,
  name: text,
  app_displayname: text,
});

/** Reads the claims of a token whose signature, issuer, audience and lifetime are right; undefined if one is missing. */
export function readCaller(payload: JWTPayload): (Caller & { readonly version: '1.0' | '2.0' }) | undefined {
  const claims = CLAIMS.safeParse(payload).data;
  const appId = claims?.ver === '2.0' ? claims.azp : claims?.appid;
  if (!claims || !appId) return undefined;
  return {
    version: claims.ver,
    objectId: claims.oid,
    appId,
    tenantId: claims.tid,
    kind: claims.scp === undefined ? 'application' : 'user',
    roles: ROLES.filter((role) => claims.roles.includes(role)),
    tokenId: plain(claims.uti),
    name: plain(claims.preferred_username ?? claims.upn ?? claims.unique_name ?? claims.name ?? claims.app_displayname),
  };
}

/** Fit for a log line: no control characters, no endless names. */
function plain(value: string | undefined): string | undefined {
  const cleaned = value?.replace(/\p{C}/gu, '').slice(0, 128);
  return cleaned === '' ? undefined : cleaned;
}
