import type { JWTPayload } from 'jose';
import { z } from 'zod';
import { GUID } from './auth-config.ts';
import { ROLES, type Role } from './roles.ts';

/** A person who signed in, or an application acting for itself. */
export type CallerKind = 'person' | 'application';

/** The caller, as the token says. */
export interface Caller {
  /** `oid`: the person or service principal, for good. The one to compare and to record. */
  readonly objectId: string;
  /** `azp` (v2.0) or `appid` (v1.0): the client that got the token. */
  readonly appId: string;
  readonly tenantId: string;
  readonly kind: CallerKind;
  /** App roles of this API that the token carries; others are left out. */
  readonly roles: readonly Role[];
  /** `scp`: what the person let the client do; none for an application. */
  readonly scopes: readonly string[];
  /** `acrs`: the authentication contexts that the sign-in has satisfied. */
  readonly authContexts: readonly string[];
  /** `uti`: finds the sign-in in Entra ID's log. Absent in tokens of some test issuers. */
  readonly tokenId: string | undefined;
  /** To be shown to people. Can be changed by its owner, so nothing may ever be decided by it. */
  readonly name: string | undefined;
}

const guid = z.string().regex(GUID).toLowerCase();
const text = z.string().optional().catch(undefined);
/** `0`: the client proved nothing (a public client); `1` and `2`: it has a secret or a certificate. */
const clientProof = z.string().optional().catch(undefined);

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

/** What a token says of its caller, and by which version of tokens. */
type TokenCaller = Caller & { readonly version: '1.0' | '2.0' };

/**
 * Reads the claims of a token whose signature, issuer, audience and lifetime are right.
 *
 * @returns undefined if a claim is missing; `unclear` if it may be a person's or an application's
 */
export function readCaller(payload: JWTPayload): TokenCaller | 'unclear' | undefined {
  const claims = CLAIMS.safeParse(payload).data;
  const appId = claims?.ver === '2.0' ? claims.azp : claims?.appid;
  if (!claims || !appId) return undefined;
  const kind = kindOf(claims);
  if (!kind) return 'unclear';
  return {
    version: claims.ver,
    objectId: claims.oid,
    appId,
    tenantId: claims.tid,
    kind,
    roles: ROLES.filter((role) => claims.roles.includes(role)),
    scopes: wordsOf(claims.scp),
    authContexts: claims.acrs,
    tokenId: plain(claims.uti),
    name: plain(claims.preferred_username ?? claims.upn ?? claims.unique_name ?? claims.name ?? claims.app_displayname),
  };
}

/** What a call is attributed to in the audit trail. */
export function auditedCaller({ objectId, appId, kind, tokenId, name }: Caller) {
  return { objectId, appId, kind, tokenId, name };
}

/** Who it was, for the log. */
export function describeCaller({ objectId, kind, appId, tokenId }: Caller): Readonly<Record<string, unknown>> {
  return { caller: objectId, kind, client: appId, tokenId };
}

/**
 * `scp` is in the tokens of persons and in no others; `idtyp`, where the registration asks for it, says the same in a word
 * (`user`, `app`). A token in which the two differ says nothing. Nor does one without `scp` of a client that proved
 * nothing: an application acting for itself has a secret or a certificate.
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

/** Fit for a log line: no control characters, no endless names. */
function plain(value: string | undefined): string | undefined {
  const cleaned = value?.replace(/\p{C}/gu, '').slice(0, 128);
  return cleaned === '' ? undefined : cleaned;
}
