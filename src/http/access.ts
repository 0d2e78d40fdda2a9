import { REFUSALS, type Refusal } from '../errors/refusals.ts';
import { formatChallenge, HttpProblem } from './problem.ts';
import { listSufficientRoles, type Role } from './roles.ts';
import type { Caller } from './token-claims.ts';

/** Kind of a call: it decides the required role and the rate limit. */
export type Act = 'read' | 'revoke' | 'restore' | 'change';

/** A key as a route names it; the key may not exist. */
export interface RouteKey {
  readonly vault: string;
  readonly key: string;
}

/** Scope of a role: the keys that the role reaches, for a single caller or for every caller with the role. */
export interface RoleScope {
  readonly role: Role;
  /** Object id in lower case; undefined: every caller with the role. */
  readonly principal: string | undefined;
  /** Key names in lower case by vault name in lower case; `*`: every key of the vault. */
  readonly keys: readonly RouteKey[];
}

/** Access rules from the settings. */
export interface AccessRules {
  /** Client ids of the clients whose tokens the app accepts; empty: every client of the tenant. */
  readonly clients: readonly string[];
  /** Client ids of the applications that may restore; usually empty. */
  readonly restoreApplications: readonly string[];
  /** Authentication context that a person must satisfy to revoke or restore. */
  readonly stepUp: string | undefined;
  readonly roleScopes: readonly RoleScope[];
}

/** Delegated permission that `infra/entra.sh` creates; a person's token must have it. */
const API_SCOPE = 'access_as_user';

/** What a role must reach: one key, the whole fleet, or the keys that the handler determines and checks itself. */
export type Reach = RouteKey | 'fleet' | 'handler';

/** Access that a call needs: a role for an act, and what the role must reach. */
export interface AccessAsked {
  readonly role: Role;
  readonly act: Act;
  readonly reach: Reach;
}

/**
 * Admits or rejects a caller. The role is checked before the sign-in strength, because without the role a stronger
 * sign-in does not help.
 * @throws {@link HttpProblem} 403; 401 when a stronger sign-in is needed
 */
export function requireAccess(caller: Caller, asked: AccessAsked, rules: AccessRules): void {
  requireClient(caller, rules);
  requireRole(caller, asked.role);
  if (asked.act === 'restore') requirePerson(caller, rules);
  requireReach(caller, asked, rules);
  if (asked.act === 'revoke' || asked.act === 'restore') requireStepUp(caller, rules);
}

function requireRole({ roles }: Caller, role: Role): void {
  if (listSufficientRoles(role).some((enough) => roles.includes(enough))) return;
  throw forbidden('RoleMissing', {
    detail: `This call requires the app role ${role}.`,
    nextStep: `Have the app role ${role} assigned in the enterprise application of this API, then get a new token: an older token does not have it.`,
    extensions: { missingRole: role },
  });
}

function requireClient({ appId, kind, scopes }: Caller, { clients }: AccessRules): void {
  if (clients.length > 0 && !clients.includes(appId)) throw forbidden('ClientNotAllowed');
  if (kind === 'person' && !scopes.includes(API_SCOPE)) {
    throw forbidden('ScopeMissing', {
      detail: `The token of a person must have the scope ${API_SCOPE}.`,
      nextStep: `Request a token with the scope api://<client id>/${API_SCOPE}; infra/entra.sh creates this scope.`,
    });
  }
}

/**
 * Limits restores by applications. Dual control compares object ids, so alone it would let a person restore with their
 * own service principal.
 */
function requirePerson({ kind, appId }: Caller, { restoreApplications }: AccessRules): void {
  if (kind === 'person' || restoreApplications.includes(appId)) return;
  throw forbidden('PersonNeeded');
}

/** Applications cannot satisfy a stronger sign-in: their role, and a list for restores, decide their access. */
function requireStepUp({ kind, authContexts }: Caller, { stepUp }: AccessRules): void {
  if (stepUp === undefined || kind === 'application' || authContexts.includes(stepUp)) return;

  // Claims that a client requests, so the next token satisfies the authentication context. Source: Entra ID, "claims
  // challenges, claims requests and client capabilities".
  const requested = { access_token: { acrs: { essential: true, value: stepUp } } };
  const claims = Buffer.from(JSON.stringify(requested)).toString('base64');
  throw new HttpProblem('StepUpNeeded', {
    detail: `This call requires a sign-in with the authentication context ${stepUp}.`,
    nextStep: `Sign in again and repeat the call: az login --scope "api://<client id>/.default" --claims-challenge ${claims}`,
    headers: { 'www-authenticate': formatChallenge('insufficient_claims', REFUSALS.StepUpNeeded.sentence, claims) },
    extensions: { claims },
  });
}

function requireReach(caller: Caller, { role, reach }: AccessAsked, rules: AccessRules): void {
  if (reach === 'handler') return;

  if (reach === 'fleet') {
    if (canReachKey(caller, role, undefined, rules)) return;
    throw forbidden('RoleNarrowed', {
      detail: `This call is about the whole fleet, but the role ${role} reaches only some keys.`,
    });
  }

  // The answer is the same for keys outside the role's scope and for keys that do not exist.
  if (!canReachKey(caller, role, reach, rules)) throw forbidden('KeyOutOfReach');
}

function forbidden(reason: Refusal, options: ConstructorParameters<typeof HttpProblem>[1] = {}): HttpProblem {
  const headers = { 'www-authenticate': formatChallenge('insufficient_scope', REFUSALS[reason].sentence) };
  return new HttpProblem(reason, { ...options, headers });
}

/** Hides from a caller with a scoped role whether a key outside the scope exists. */
export function narrowError(error: unknown, caller: Caller, role: Role, rules: AccessRules): unknown {
  const unknown = error instanceof HttpProblem && error.reason === 'KeyNotManaged';
  return unknown && !canReachKey(caller, role, undefined, rules) ? forbidden('KeyOutOfReach') : error;
}

/** Whether the caller's role reaches any key of a vault, even a key that does not exist. */
export function canReachVault(caller: Caller, role: Role, vault: string, rules: AccessRules): boolean {
  const names = rules.roleScopes.flatMap(({ keys }) => keys.filter((one) => one.vault === vault.toLowerCase()));
  return [{ vault, key: '*' }, ...names].some((key) => canReachKey(caller, role, key, rules));
}

/** Whether a sufficient role of the caller reaches the key; without a key, the whole fleet. */
export function canReachKey(
  caller: Caller,
  role: Role,
  key: RouteKey | undefined,
  { roleScopes }: AccessRules,
): boolean {
  const own = listSufficientRoles(role).filter((enough) => caller.roles.includes(enough));

  return own.some((held) => {
    const scopes = roleScopes.filter(
      (scope) => scope.role === held && (scope.principal === undefined || scope.principal === caller.objectId),
    );
    if (scopes.length === 0) return true;
    return key !== undefined && scopes.some(({ keys }) => keys.some((one) => isSame(one, key)));
  });
}

function isSame(scope: RouteKey, { vault, key }: RouteKey): boolean {
  return scope.vault === vault.toLowerCase() && (scope.key === '*' || scope.key === key.toLowerCase());
}
