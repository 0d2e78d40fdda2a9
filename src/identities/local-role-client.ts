import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import { createJsonSender } from '../azure/json-sender.ts';
import { LIMITS } from '../azure/limits.ts';
import { lastName } from '../azure/resource-id.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import { assignmentName } from './role-assignment-client.ts';
import type { RoleGrant } from './role-grant.ts';

/** Of the whole HSM, of all its keys, of one key. */
export type LocalScope = '/' | '/keys' | `/keys/${string}`;

/** The role-based access control of Managed HSMs, which Azure Resource Manager does not know of. */
export interface LocalRoles {
  /**
   * What a list at a scope shows, each with what its role allows. What is assigned at single keys is in the lists of these
   * alone ("Managed HSM role management"). It takes `roleAssignments/read/action` there and `roleDefinitions/read/action` at
   * `/`, which the built-in Managed HSM Crypto Auditor has.
   *
   * @throws an error that `describeFailure` reads
   */
  grantsAt(hsm: Pick<ManagedVault, 'uri'>, scope: LocalScope, signal?: AbortSignal): Promise<RoleGrant[]>;
  /**
   * Gives a built-in role; without effect when it was given before. It takes `roleAssignments/write/action` at the scope.
   *
   * @param roleId GUID of its definition
   * @throws likewise
   */
  give(hsm: Pick<ManagedVault, 'uri'>, scope: LocalScope, principalId: string, roleId: string): Promise<void>;
}

/** Of the data plane, as the REST reference of these operations has it. */
const VERSION = { 'api-version': '7.4' };
/** More than an HSM may have: 50 assignments at the HSM and 10 at a key, 50 custom definitions (Managed HSM, service limits). */
const MOST_PAGES = 50;

const PAGE = z.object({ value: z.array(z.unknown()), nextLink: z.string().nullish() });
const ASSIGNMENT = z.object({
  name: z.string(),
  properties: z.object({ principalId: z.string(), scope: z.string(), roleDefinitionId: z.string() }),
});
const ACTIONS = z
  .array(z.string())
  .nullish()
  .transform((actions) => actions ?? []);
const DEFINITION = z.object({
  name: z.string(),
  properties: z.object({ permissions: z.array(z.object({ dataActions: ACTIONS, notDataActions: ACTIONS })) }),
});

type Rights = Pick<RoleGrant, 'dataActions' | 'notDataActions'>;

/** One look at an HSM asks for the lists of several scopes: what its roles allow is read once for all. Milliseconds. */
const DEFINITIONS_AGE_MS = 60_000;

export function createLocalRoles(
  credential: TokenCredential,
  cloud: Cloud,
  now: () => Date = () => new Date(),
): LocalRoles {
  const send = createJsonSender(credential, `https://${cloud.managedHsmSuffix}/.default`, LIMITS.localRoles);

  const list = async <T>(
    { uri }: Pick<ManagedVault, 'uri'>,
    path: string,
    item: z.ZodType<T>,
    signal: AbortSignal | undefined,
  ): Promise<T[]> => {
    const found: unknown[] = [];
    // The path of `/` begins with three slashes, as the SDKs write it.
    let next = `${uri}/${path}`;
    for (let pages = 1; ; pages += 1) {
      const { value, nextLink } = PAGE.parse(
        await send({ method: 'GET', url: next, query: VERSION, ...(signal ? { signal } : {}) }),
      );
      found.push(...value);
      if (!nextLink) return z.array(item).parse(found);
      // The token goes where the first page came from, and nowhere else.
      if (new URL(nextLink).hostname !== new URL(uri).hostname || pages >= MOST_PAGES) {
        throw new TypeError(`The list of ${path} goes on at ${nextLink}, which leads nowhere.`);
      }
      next = nextLink;
    }
  };

  const read = new Map<string, { readonly rights: Promise<ReadonlyMap<string, Rights>>; readonly readOn: number }>();

  /** By the name of the definition, lower case. */
  const rightsIn = (hsm: Pick<ManagedVault, 'uri'>, signal: AbortSignal | undefined) => {
    const known = read.get(hsm.uri);
    if (known && now().getTime() - known.readOn < DEFINITIONS_AGE_MS) return known.rights;
    const path = '//providers/Microsoft.Authorization/roleDefinitions';
    const rights = list(hsm, path, DEFINITION, signal).then((all) => new Map(all.map(toRights)));
    read.set(hsm.uri, { rights, readOn: now().getTime() });
    // A failure is not kept: the next one who asks tries again.
    rights.catch(() => read.delete(hsm.uri));
    return rights;
  };

  return {
    async grantsAt(hsm, scope, signal) {
      const path = `${scope}/providers/Microsoft.Authorization/roleAssignments`;
      // At a key that is not there yet, nobody has a role.
      const assignments = (await unlessMissing(() => list(hsm, path, ASSIGNMENT, signal))) ?? [];
      if (assignments.length === 0) return [];
      const rights = await rightsIn(hsm, signal);
      return assignments.map(({ name, properties: { principalId, scope: at, roleDefinitionId } }) => ({
        id: name,
        principalId,
        scope: at,
        conditional: false,
        // Without its definition, which was deleted, an assignment gives nothing ("Managed HSM role management").
        ...(rights.get(lastName(roleDefinitionId).toLowerCase()) ?? { dataActions: [], notDataActions: [] }),
      }));
    },
    async give({ uri }, scope, principalId, roleId) {
      const name = assignmentName(`${uri}${scope}`, principalId, roleId);
      const roleDefinitionId = `Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/${roleId}`;
      try {
        await send({
          method: 'PUT',
          url: `${uri}/${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`,
          query: VERSION,
          body: { properties: { roleDefinitionId, principalId } },
        });
      } catch (error) {
        // Somebody gave it in the meantime.
        if (describeFailure(error).kind !== 'conflict') throw error;
      }
    },
  };
}

function toRights({ name, properties: { permissions } }: z.infer<typeof DEFINITION>): [string, Rights] {
  return [
    name.toLowerCase(),
    {
      dataActions: permissions.flatMap(({ dataActions }) => dataActions),
      notDataActions: permissions.flatMap(({ notDataActions }) => notDataActions),
    },
  ];
}
