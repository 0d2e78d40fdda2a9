import type { JWTPayload } from 'jose';
import { z } from 'zod';
import { GUID } from './auth-config.ts';
import { ROLES, type Role } from './roles.ts';

/** A signed-in person, or an application with its own identity. */
export type CallerKind = 'person' | 'application';

/** The caller according to the token. */
export type Caller = Omit<Exclude<ReturnType<typeof readCaller>, 'unclear' | undefined>, 'version'>;

const guid = z.string().regex(GUID).toLowerCase();
const text = z.string().optional().catch(undefined);
/** `0`: the client did not authenticate (a public client); `1` and `2`: the client has a secret or a certificate. */
const clientProof = z.string().optional().catch(undefined);

/**
 * Claims of an access token. An ID token lacks `azp`/`appid`, so an ID token for the same client id is rejected. A
 * caller may have no `roles`. Source: Entra ID, access token claims reference.
 */
const CLAIMS = z.object({
  aud: z.string(),
  tid: guid,
  oid: guid,
  ver: z.enum(['1.0', '2.0']),
  azp: guid.optional(),
  appid: guid.optional(),
  azpacr: clientProof,
  appidacr: clientProof,
  idtyp: z.string().optional(),
  roles: z.array(z.string()).default([]),
  scp: z.string().optional(),
  acrs: z.array(z.string()).catch([]),
  uti: text,
  preferred_username: text,
  upn: text,
  unique_name: text,
  name: text,
  app_displayname: text,
});
type Claims = z.output<typeof CLAIMS>;

/**
 * Reads the claims of a token with valid signature, issuer, audience and lifetime.
 *
 * @returns undefined if a claim is missing; `unclear` if the caller may be a person or an application
 */
export function readCaller(payload: JWTPayload) {
  const claims = CLAIMS.safeParse(payload).data;
  const appId = claims?.ver === '2.0' ? claims.azp : claims?.appid;
  if (!claims || !appId) return undefined;

  const kind = kindOf(claims);
  if (!kind) return 'unclear' as const;

  return {
    version: claims.ver,
    /** Permanent id of the person or service principal. The id to compare and record. */
    objectId: claims.oid,
    /** The client that got the token. */
    appId,
    tenantId: claims.tid,
    kind,
    /** App roles of this API in the token; other roles are omitted. */
    roles: ROLES.filter((role) => claims.roles.includes(role)) as readonly Role[],
    /** Permissions that the person delegated to the client; empty for an application. */
    scopes: wordsOf(claims.scp),
    /** Authentication contexts that the sign-in satisfied. */
    authContexts: claims.acrs as readonly string[],
    /** Id of the sign-in in Entra ID's log. Absent in tokens of some test issuers. */
    tokenId: plain(claims.uti),
    /** Display name. Its owner can change it, so no decision may depend on it. */
    name: plain(claims.preferred_username ?? claims.upn ?? claims.unique_name ?? claims.name ?? claims.app_displayname),
  };
}

/** Caller as recorded in the audit trail. */
export function toAuditedCaller({ objectId, appId, kind, tokenId, name }: Caller) {
  return { objectId, appId, kind, tokenId, name };
}

/** Caller as recorded in the log. */
export function describeCaller({ objectId, kind, appId, tokenId }: Caller): Readonly<Record<string, unknown>> {
  return { caller: objectId, kind, client: appId, tokenId };
}

/**
 * Kind of the caller. Only tokens of persons have `scp`; the optional `idtyp` states the kind (`user`, `app`). If the
 * two contradict each other, the kind is unclear. It is also unclear without `scp` if the client did not authenticate:
 * an application with its own identity has a secret or a certificate.
 */
function kindOf({ ver, scp, idtyp, azpacr, appidacr }: Claims): CallerKind | undefined {
  const delegated = wordsOf(scp).length > 0;
  if (delegated) return idtyp === undefined || idtyp === 'user' ? 'person' : undefined;
  if (scp !== undefined || (idtyp !== undefined && idtyp !== 'app')) return undefined;
  return (ver === '2.0' ? azpacr : appidacr) === '0' ? undefined : 'application';
}

function wordsOf(scp: string | undefined): readonly string[] {
  return scp?.split(' ').filter((word) => word !== '') ?? [];
}

/** Sanitizes a text for the log: no control characters, limited length. */
function plain(value: string | undefined): string | undefined {
  const cleaned = value?.replace(/\p{C}/gu, '').slice(0, 128);
  return cleaned === '' ? undefined : cleaned;
}
