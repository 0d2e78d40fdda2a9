import { challenge, claimsFor } from './challenge.ts';
import { HTTP_REASONS } from './http-reasons.ts';
import { HttpProblem } from './problem.ts';
import { type Role, requireRole, sufficientRoles } from './roles.ts';
import type { Caller } from './token-claims.ts';

/** What a call does, as far as that decides who may make it and how often. */
export type Act = 'read' | 'revoke' | 'restore' | 'change';

/** A key as a route names it; nothing is known of it yet. */
export interface RouteKey {
  readonly vault: string;
  readonly key: string;
}

/** A role that reaches some keys alone, for one caller or for everybody who has it. */
export interface RoleScope {
  readonly role: Role;
  /** Object id in lower case; undefined: whoever has the role. */
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
 * Lets a caller through or says why not. Whoever lacks the role is told that first: nobody signs in once more for nothing.
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
    throw new HttpProblem(
      403,
      'ClientNotAllowed',
      HTTP_REASONS.ClientNotAllowed,
      'Get a token with a client that is on the list, for instance the Azure CLI; the list is the setting CMK_CLIENTS.',
      { headers: { 'www-authenticate': challenge('insufficient_scope', HTTP_REASONS.ClientNotAllowed) } },
    );
  }
  if (kind === 'person' && !scopes.includes(API_SCOPE)) {
    throw new HttpProblem(
      403,
      'ScopeMissing',
      `The token of a person has to carry the scope ${API_SCOPE}.`,
      `Ask for a token with the scope api://<client id>/${API_SCOPE}; infra/entra.sh makes that scope.`,
      { headers: { 'www-authenticate': challenge('insufficient_scope', `The scope ${API_SCOPE} is missing.`) } },
    );
  }
}

/**
 * A service principal of one's own is another object id: dual control alone does not keep a person from restoring by it
 * what they revoked.
 */
function requirePerson({ kind, appId }: Caller, { restoreApplications }: AccessRules): void {
  if (kind === 'person' || restoreApplications.includes(appId)) return;
  throw new HttpProblem(
    403,
    'PersonNeeded',
    HTTP_REASONS.PersonNeeded,
    'Have a person with the app role CmkKey.Restore make this call; CMK_RESTORE_APPLICATIONS names the applications that may.',
    { headers: { 'www-authenticate': challenge('insufficient_scope', HTTP_REASONS.PersonNeeded) } },
  );
}

/** Applications cannot sign in more strongly: whether they may at all is decided by their role, and for a restore by a list. */
function requireStepUp({ kind, authContexts }: Caller, { stepUp }: AccessRules): void {
  if (stepUp === undefined || kind === 'application' || authContexts.includes(stepUp)) return;
  const claims = claimsFor(stepUp);
  throw new HttpProblem(
    401,
    'StepUpNeeded',
    `This call takes a sign-in with the authentication context ${stepUp}.`,
    `Sign in once more and repeat the call: az login --scope "api://<client id>/.default" --claims-challenge ${claims}`,
    {
      headers: { 'www-authenticate': challenge('insufficient_claims', HTTP_REASONS.StepUpNeeded, claims) },
      extensions: { claims },
    },
  );
}

function requireReach(caller: Caller, { role, key }: AccessAsked, rules: AccessRules): void {
  if (key === 'later' || reaches(caller, role, key, rules)) return;
  if (key) throw outOfReach();
  throw new HttpProblem(
    403,
    'RoleNarrowed',
    `This call is about the whole fleet, and the role ${role} reaches some keys alone.`,
    `Ask for single keys, or have somebody call whose role ${role} is not narrowed by CMK_ROLE_SCOPES.`,
    { headers: { 'www-authenticate': challenge('insufficient_scope', HTTP_REASONS.RoleNarrowed) } },
  );
}

/** The one answer about keys that a narrowed role does not reach, and about keys that are not there. */
function outOfReach(): HttpProblem {
  return new HttpProblem(
    403,
    'KeyOutOfReach',
    HTTP_REASONS.KeyOutOfReach,
    'Check the names of vault and key, and which keys CMK_ROLE_SCOPES lets your role reach.',
    { headers: { 'www-authenticate': challenge('insufficient_scope', HTTP_REASONS.KeyOutOfReach) } },
  );
}

/** Reasons that say that there is no such thing. */
const UNKNOWN: ReadonlySet<string> = new Set(['KeyNotManaged']);

/** A caller whose role is narrowed must not learn by another answer which keys there are. */
export function asNarrowed(error: unknown, caller: Caller, role: Role, rules: AccessRules): unknown {
  const unknown = error instanceof HttpProblem && UNKNOWN.has(error.reason);
  return unknown && !reaches(caller, role, undefined, rules) ? outOfReach() : error;
}

/** Whether the caller's role reaches a key; without one, the whole fleet. */
export function reachesKey(caller: Caller, role: Role, key: RouteKey | undefined, rules: AccessRules): boolean {
  return reaches(caller, role, key, rules);
}

/** Whether the caller's role is not narrowed. */
export function reachesAll(caller: Caller, role: Role, rules: AccessRules): boolean {
  return reaches(caller, role, undefined, rules);
}

/** Whether the caller's role reaches some key of a vault, there or not. */
export function reachesVault(caller: Caller, role: Role, vault: string, rules: AccessRules): boolean {
  const names = rules.roleScopes.flatMap(({ keys }) => keys.filter((one) => one.vault === vault.toLowerCase()));
  return [{ vault, key: '*' }, ...names].some((key) => reaches(caller, role, key, rules));
}

/** Whether one of the caller's roles that is enough reaches the key; without a key, the whole fleet. */
function reaches(caller: Caller, role: Role, key: RouteKey | undefined, { roleScopes }: AccessRules): boolean {
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
