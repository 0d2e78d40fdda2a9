import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { untilAborted } from '../azure/deadline.ts';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import { createJsonSender } from '../azure/json-sender.ts';
import { LIMITS } from '../azure/limits.ts';
import { ReadCache } from '../azure/read-cache.ts';
import { lastName } from '../azure/resource-id.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import { assignmentName } from './role-assignment-client.ts';
import type { RoleGrant } from './role-grant.ts';

type Hsm = Pick<ManagedVault, 'uri'>;

/** A whole Managed HSM, all its keys, or one key. */
export type LocalScope = '/' | '/keys' | `/keys/${string}`;

/** An assignment at a Managed HSM, with what its role allows. */
interface LocalGrant extends RoleGrant, LocalAssignment {
  readonly principalId: string;
  readonly scope: string;
}

interface LocalAssignment {
  /** Of the assignment, a GUID. */
  readonly name: string;
  /** Name of its definition, lower case. */
  readonly roleId: string;
  readonly principalId: string;
  readonly scope: string;
}

/** The role-based access control of Managed HSMs, which Azure Resource Manager does not know of. */
export interface LocalRoles {
  /**
   * What a list at a scope shows, each with what its role allows. What is assigned at single keys is in the lists of these
   * alone ("Managed HSM role management"). It takes `roleAssignments/read/action` there and `roleDefinitions/read/action` at
   * `/`, which the built-in Managed HSM Crypto Auditor has.
   *
   * @throws an error that `describeFailure` reads
   */
  grantsAt(hsm: Hsm, scope: LocalScope, signal?: AbortSignal): Promise<LocalGrant[]>;
  /**
   * Gives a built-in role; without effect when it was given before. It takes `roleAssignments/write/action` at the scope.
   *
   * @param roleId GUID of its definition
   * @param name of the assignment, a GUID; the same for the same without it
   * @throws likewise
   */
  give(hsm: Hsm, scope: LocalScope, principalId: string, roleId: string, name?: string): Promise<void>;
}

const ASSIGNMENT = z.object({
  name: z.string(),
  properties: z.object({ principalId: z.string(), scope: z.string().startsWith('/'), roleDefinitionId: z.string() }),
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

/** A check of an HSM lists the assignments of several scopes, and reads what its roles allow once. Milliseconds. */
const DEFINITIONS_AGE_MS = 60_000;

export function createLocalRoles(credential: TokenCredential, cloud: Cloud): LocalRoles {
  const { ask, list } = createRoleCalls(
    createJsonSender(credential, `https://${cloud.managedHsmSuffix}/.default`, LIMITS.localRoles),
  );
  // A key that does not exist yet has no role assignments.
  const assignmentsAt = (hsm: Hsm, scope: LocalScope, signal?: AbortSignal) =>
    list(hsm, `${scope}/providers/Microsoft.Authorization/roleAssignments`, ASSIGNMENT, {
      mayBeMissing: scope.startsWith('/keys/'),
      signal,
    });
  const definitions = new ReadCache<ReadonlyMap<string, Rights>>(DEFINITIONS_AGE_MS);

  /** By the name of the definition, lower case. */
  const rightsIn = async (hsm: Hsm, how: 'read' | 'readAnew', signal: AbortSignal | undefined) => {
    const reading = definitions[how](hsm.uri, () => rightsOf(list, hsm));
    // Others may wait for the same answer, so that it goes on when this caller gives up.
    if (!(await untilAborted(reading, signal))) signal?.throwIfAborted();
    return reading;
  };

  return {
    async grantsAt(hsm, scope, signal) {
      const began = new Date();
      const found = await assignmentsAt(hsm, scope, signal);
      if (found.length === 0) return [];
      const known = await rightsIn(hsm, 'read', signal);
      // A definition that is not known may have been made since, and its role given at once.
      const isKnown = ({ properties }: (typeof found)[number]) => known.value.has(definitionOf(properties));
      const isOld = known.readOn < began && !found.every(isKnown);
      const { value: rights } = isOld ? await rightsIn(hsm, 'readAnew', signal) : known;
      return found.map((one) => ({
        ...toAssignment(one),
        id: one.name,
        conditional: false,
        // Without its definition, which was deleted, an assignment gives nothing ("Managed HSM role management").
        ...(rights.get(definitionOf(one.properties)) ?? { dataActions: [], notDataActions: [] }),
      }));
    },
    async give(hsm, scope, principalId, roleId, name = assignmentName(`${hsm.uri}${scope}`, principalId, roleId)) {
      const roleDefinitionId = `Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/${roleId}`;
      const body = { properties: { roleDefinitionId, principalId } };
      try {
        await ask(hsm, { method: 'PUT', url: urlOf(hsm, scope, name), body });
      } catch (error) {
        if (describeFailure(error).kind !== 'conflict') throw error;
        // Another caller may have assigned it in the meantime; which other conflicts there are is not documented.
        // A caller that may not list assignments gets the conflict.
        const there = await assignmentsAt(hsm, scope).catch(() => []);
        const isIt = ({ properties }: (typeof there)[number]) =>
          properties.principalId.toLowerCase() === principalId.toLowerCase() && definitionOf(properties) === roleId;
        if (!there.some(isIt)) throw error;
      }
    },
  };
}

function urlOf({ uri }: Hsm, scope: LocalScope, name: string): string {
  return `${uri}/${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`;
}

function toAssignment({ name, properties }: z.output<typeof ASSIGNMENT>): LocalAssignment {
  const { principalId, scope } = properties;
  return { name, roleId: definitionOf(properties), principalId, scope };
}

/** Name of the definition, lower case. */
function definitionOf({ roleDefinitionId }: { readonly roleDefinitionId: string }): string {
  return lastName(roleDefinitionId).toLowerCase();
}

async function rightsOf(list: RoleCalls['list'], hsm: Hsm): Promise<ReadonlyMap<string, Rights>> {
  const all = await list(hsm, '//providers/Microsoft.Authorization/roleDefinitions', DEFINITION);
  if (all.length === 0) throw new TypeError('The list of role definitions is empty, and every HSM has built-in ones.');
  return new Map(all.map(toRights));
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

type Send = ReturnType<typeof createJsonSender>;

interface ListOptions {
  /** What there are lists of at a scope may not be there. */
  readonly mayBeMissing?: boolean;
  readonly signal?: AbortSignal | undefined;
}

interface RoleCalls {
  ask(hsm: Hsm, call: Omit<Parameters<Send>[0], 'query'>): Promise<unknown>;
  /** @throws TypeError for what is not as documented */
  list<T>(hsm: Hsm, path: string, item: z.ZodType<T>, options?: ListOptions): Promise<T[]>;
}

/** Of the data plane, as the REST reference of these operations has it. */
const VERSION = { 'api-version': '7.4' };
/** More than an HSM may have: 50 assignments at the HSM and 10 at a key, 50 custom definitions (Managed HSM, service limits). */
const MOST_PAGES = 20;

const PAGE = z.object({ value: z.array(z.unknown()), nextLink: z.string().nullish() });

/**
 * Interval between calls about roles: a Managed HSM answers five a second for all callers together (service limits).
 * Milliseconds.
 */
const APART_MS = 250;

/** Calls about the roles of Managed HSMs, each in its turn, and whole lists, page by page. */
export function createRoleCalls(send: Send): RoleCalls {
  const due = new Map<string, number>();
  const turn = async (uri: string): Promise<void> => {
    const nowMs = performance.now();
    const atMs = Math.max(nowMs, due.get(uri) ?? 0);
    due.set(uri, atMs + APART_MS);
    if (atMs > nowMs) await sleep(atMs - nowMs);
  };
  const ask: RoleCalls['ask'] = async ({ uri }, call) => {
    await turn(uri);
    return send({ ...call, query: VERSION });
  };
  const list: RoleCalls['list'] = async <T>(
    hsm: Hsm,
    path: string,
    item: z.ZodType<T>,
    { mayBeMissing = false, signal }: ListOptions = {},
  ): Promise<T[]> => {
    const found: T[] = [];
    const documented = <D>(type: z.ZodType<D>, answer: unknown): D => {
      const { data, success } = type.safeParse(answer);
      if (!success) throw new TypeError(`The list of ${path} is not as documented.`);
      return data;
    };
    // The path of `/` begins with three slashes, as the SDKs write it.
    let url = `${hsm.uri}/${path}`;
    for (let pages = 1; ; pages += 1) {
      const asking = () => ask(hsm, { method: 'GET', url, ...(signal ? { signal } : {}) });
      // A list that has begun is there.
      const page = mayBeMissing && pages === 1 ? await unlessMissing(asking) : await asking();
      if (page === undefined) return [];
      const { value, nextLink } = documented(PAGE, page);
      found.push(...documented(z.array(item), value));
      if (!nextLink) return found;
      // The token goes where the first page came from, and nowhere else.
      if (new URL(nextLink, url).origin !== new URL(hsm.uri).origin || pages >= MOST_PAGES) {
        throw new TypeError(`The list of ${path} goes on at ${nextLink}, which leads nowhere.`);
      }
      url = new URL(nextLink, url).href;
    }
  };
  return { ask, list };
}
