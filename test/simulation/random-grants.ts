import type { World } from './explore.ts';
import {
  ABOVE_KEY,
  ACTIONS,
  ENCRYPTION_ROLE,
  type GrantsScenario,
  GrantsWorld,
  HOLDERS,
  HSM_PLACES,
  IDENTITY,
  LOCAL_ACTIONS,
  OTHER_IDENTITY,
  PLACES,
} from './grants-world.ts';
import type { Assignment, Place, Role } from './tenant.ts';

type Random = () => number;

const one = <T>(random: Random, of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
const repeat = <T>(times: number, make: (n: number) => T): T[] => Array.from({ length: times }, (_, n) => make(n));

const name = (n: number): string => `${String(n).padStart(8, '0')}-bbbb-4bbb-8bbb-bbbbbbbbbbbb`;
const CUSTOM = '99999999-9999-4999-8999-999999999999';
const NEXT_YEAR = new Date(Date.UTC(2027, 0, 1));

/** Roles that allow all, some or nothing of what Storage does with a key. */
function role(random: Random, actions: readonly string[]): Role {
  const [prefix] = (actions[0] ?? '').split('/keys/');

  const custom = (allows: readonly string[], excludes: readonly string[] = []): Role => ({
    roleId: CUSTOM,
    allows,
    excludes,
  });

  return one(random, [
    { roleId: ENCRYPTION_ROLE, allows: actions, excludes: [] },
    { roleId: ENCRYPTION_ROLE, allows: actions, excludes: [] },
    custom(['*']),
    custom([`${prefix}/*`]),
    custom([`${prefix}/keys/*`], ['*/unwrap/action']),
    custom(['*/WRAP/action', '*/unwrap/action']),
    custom([one(random, actions)]),
    custom([one(random, actions)]),
    custom(['*'], ['Microsoft.KeyVault/*']),
    custom(['Microsoft.Storage/storageAccounts/blobServices/*']),
    custom([]),
  ]);
}

function assignment(random: Random, n: number, places: readonly Place[], actions: readonly string[]): Assignment {
  return {
    name: name(n),
    place: one(random, places),
    holder: random() < 0.4 ? IDENTITY : one(random, HOLDERS),
    role: role(random, actions),
  };
}

/** Azure has conditions and time-bound roles; a Managed HSM has neither. */
function azureAssignment(random: Random, n: number, places: readonly Place[] = PLACES): Assignment {
  return {
    ...assignment(random, n, places, ACTIONS),
    ...(random() < 0.15 ? { condition: "@Resource[name] StringEquals 'x'" } : {}),
    ...(random() < 0.1 ? { endsOn: NEXT_YEAR } : {}),
  };
}

/** Decided here, so that the same tenant can be judged again. */
function spelling(random: Random): (id: string) => string {
  const salt = Math.floor(random() * 4);
  return (id) => [id, id, id.toLowerCase(), id.toUpperCase()][(id.length + salt) % 4] ?? id;
}

/**
 * Few roles, so that each of them decides something; as a rule above the key, a management group as likely as the key.
 * Often the role that Storage needs, and that `cmk account revoke` can remove, is the first.
 */
function azureAssignments(random: Random): readonly Assignment[] {
  const places = random() < 0.5 ? ABOVE_KEY : PLACES;
  const others = repeat(one(random, [0, 1, 1, 2, 2, 3, 5]), (n) => azureAssignment(random, n, places));
  if (random() < 0.6) return others;
  const encryption: Role = { roleId: ENCRYPTION_ROLE, allows: ACTIONS, excludes: [] };
  return [{ name: name(80), place: one(random, ABOVE_KEY.slice(-2)), holder: IDENTITY, role: encryption }, ...others];
}

export function randomGrantsWorld(random: Random): () => World {
  const model = one(random, ['rbac', 'rbac', 'rbac', 'accessPolicies', 'local'] as const);
  const spell = spelling(random);
  const permissions = () =>
    one(random, [['all'], ['Get', 'wrapKey', 'unwrapKey'], ['get'], ['WrapKey', 'unwrapkey'], ['list']]);
  const isLocal = model === 'local';
  const scenario: GrantsScenario = {
    model,
    spell,
    assignments: isLocal
      ? repeat(one(random, [0, 1, 2, 3]), (n) => assignment(random, n, HSM_PLACES, LOCAL_ACTIONS))
      : azureAssignments(random),
    policies: repeat(one(random, [0, 1, 2, 3]), () => ({
      objectId: one(random, HOLDERS),
      keyPermissions: permissions(),
    })),
    noGroups: one(random, [[], [OTHER_IDENTITY], [IDENTITY, OTHER_IDENTITY]]),
    scopes: repeat(one(random, [0, 0, 1, 2]), () => one(random, ['own', 'beside', 'far'] as const)),
    ...(random() < 0.3 ? { meanwhile: azureAssignment(random, 90, ABOVE_KEY) } : {}),
  };

  return () => new GrantsWorld(scenario);
}
