import { REFUSALS, type Refusal } from '../refusals.ts';
import { challenge, claimsFor } from './challenge.ts';
import { HttpProblem } from './problem.ts';
import { hasRole, type Role, sufficientRoles } from './roles.ts';
import type { Caller } from './token-claims.ts';

/**
 * @throws {@link HttpProblem} 403 that names the missing role
 */
export function requireRole(caller: { readonly roles: readonly Role[] }, role: Role): void {
  if (hasRole(caller, role)) return;
  throw forbidden('RoleMissing', {
    detail: `This call takes the app role ${role}.`,
    nextStep: `Have the app role ${role} assigned in the enterprise application of this API, then get a new token: a token that was issued before does not carry it.`,
    challengeText: `The app role ${role} is missing.`,
    extensions: { missingRole: role },
  });
}

/** What a call does, as far as that decides who may make it and how often. */
export type Act = 'read' | 'revoke' | 'restore' | 'change';

/** A key as a route names it; nothing is known of it yet. */
export interface RouteKey {
  readonly vault: string;
  readonly key: string;
}

/** A role that reaches only some keys, for one caller or for every caller who has it. */
export interface RoleScope {
  readonly role: Role;
  /** Object id in lower case; undefined: every caller with the role. */
  readonly principal: string | undefined;
  /** Key names in lower case by vault name in lower case; `*`: every key of the vault. */
  readonly keys: readonly RouteKey[];
}

/** What narrows the roles, as set by the operator. */
export interface AccessRules {
  /** Client ids that a token may have been got by; empty: any of the tenant. */
  readonly clients: readonly string[];
  /** Client ids of the applications that may restore; as a rule none. */
  readonly restoreApplications: readonly string[];
  /** Authentication context that revoking and restoring takes of a person. */
  readonly stepUp: string | undefined;
  readonly roleScopes: readonly RoleScope[];
}

/** The delegated permission that `infra/entra.sh` makes, and that a person's token has to carry. */
const API_SCOPE = 'access_as_user';

/** What a call asks for: a role, for an act, on a key or on the whole fleet. */
export interface AccessAsked {
  readonly role: Role;
  readonly act: Act;
  /** Undefined: it shows the whole fleet. `later`: which key it is about is not known yet, and asked for then. */
  readonly key: RouteKey | 'later' | undefined;
}

/**
 * Lets a caller through or says why not. A missing role comes before a stronger sign-in, which would not help without it.
 *
 * @throws {@link HttpProblem} 403; 401 when a stronger sign-in is needed
 */
export function requireAccess(caller: Caller, asked: AccessAsked, rules: AccessRules): void {
  requireClient(caller, rules);
  requireRole(caller, asked.role);
  if (asked.act === 'restore') requirePerson(caller, rules);
  requireReach(caller, asked, rules);
  if (asked.act === 'revoke' || asked.act === 'restore') requireStepUp(caller, rules);
}

function requireClient({ appId, kind, scopes }: Caller, { clients }: AccessRules): void {
  if (clients.length > 0 && !clients.includes(appId)) {
    throw forbidden('ClientNotAllowed');
  }
  if (kind === 'person' && !scopes.includes(API_SCOPE)) {
    throw forbidden('ScopeMissing', {
      detail: `The token of a person has to carry the scope ${API_SCOPE}.`,
      nextStep: `Ask for a token with the scope api://<client id>/${API_SCOPE}; infra/entra.sh makes that scope.`,
      challengeText: `The scope ${API_SCOPE} is missing.`,
    });
  }
}

/**
 * A service principal of one's own is another object id: dual control alone does not keep a person from restoring by it
 * what they revoked.
 */
function requirePerson({ kind, appId }: Caller, { restoreApplications }: AccessRules): void {
  if (kind === 'person' || restoreApplications.includes(appId)) return;
  throw forbidden('PersonNeeded');
}

/** Applications cannot sign in more strongly: whether they may at all is decided by their role, and for a restore by a list. */
function requireStepUp({ kind, authContexts }: Caller, { stepUp }: AccessRules): void {
  if (stepUp === undefined || kind === 'application' || authContexts.includes(stepUp)) return;
  const claims = claimsFor(stepUp);
  throw new HttpProblem('StepUpNeeded', {
    detail: `This call takes a sign-in with the authentication context ${stepUp}.`,
    nextStep: `Sign in once more and repeat the call: az login --scope "api://<client id>/.default" --claims-challenge ${claims}`,
    headers: { 'www-authenticate': challenge('insufficient_claims', REFUSALS.StepUpNeeded.sentence, claims) },
    extensions: { claims },
  });
}

function requireReach(caller: Caller, { role, key }: AccessAsked, rules: AccessRules): void {
  if (key === 'later' || reachesKey(caller, role, key, rules)) return;
  // The one answer about keys that a narrowed role does not reach, and about keys that do not exist.
  if (key) throw forbidden('KeyOutOfReach');
  throw forbidden('RoleNarrowed', {
    detail: `This call is about the whole fleet, and the role ${role} reaches some keys alone.`,
  });
}

/** @param challengeText absent: the sentence of the refusal */
function forbidden(
  reason: Refusal,
  {
    challengeText = REFUSALS[reason].sentence,
    ...options
  }: ConstructorParameters<typeof HttpProblem>[1] & { readonly challengeText?: string } = {},
): HttpProblem {
  const headers = { 'www-authenticate': challenge('insufficient_scope', challengeText) };
  return new HttpProblem(reason, { ...options, headers });
}

/** Reasons that say that there is no such thing. */
const UNKNOWN: ReadonlySet<string> = new Set(['KeyNotManaged']);

/** A caller whose role is narrowed must not learn by another answer which keys there are. */
export function asNarrowed(error: unknown, caller: Caller, role: Role, rules: AccessRules): unknown {
  const unknown = error instanceof HttpProblem && UNKNOWN.has(error.reason);
  return unknown && !reachesKey(caller, role, undefined, rules) ? forbidden('KeyOutOfReach') : error;
}

/** Whether the caller's role reaches some key of a vault, there or not. */
export function reachesVault(caller: Caller, role: Role, vault: string, rules: AccessRules): boolean {
  const names = rules.roleScopes.flatMap(({ keys }) => keys.filter((one) => one.vault === vault.toLowerCase()));
  return [{ vault, key: '*' }, ...names].some((key) => reachesKey(caller, role, key, rules));
}

/** Whether one of the caller's roles that is enough reaches the key; without a key, the whole fleet. */
export function reachesKey(
  caller: Caller,
  role: Role,
  key: RouteKey | undefined,
  { roleScopes }: AccessRules,
): boolean {
  const own = sufficientRoles(role).filter((enough) => caller.roles.includes(enough));
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
