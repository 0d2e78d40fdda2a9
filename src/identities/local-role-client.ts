import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { untilAborted } from '../azure/deadline.ts';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import { createJsonSender } from '../azure/json-sender.ts';
import { LIMITS } from '../azure/limits.ts';
import { lastName } from '../azure/resource-id.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import { assignmentName } from './role-assignment-client.ts';
import type { RoleGrant } from './role-grant.ts';

type Hsm = Pick<ManagedVault, 'uri'>;
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
  grantsAt(hsm: Hsm, scope: LocalScope, signal?: AbortSignal): Promise<RoleGrant[]>;
  /**
   * Gives a built-in role; without effect when it was given before. It takes `roleAssignments/write/action` at the scope.
   *
   * @param roleId GUID of its definition
   * @throws likewise
   */
  give(hsm: Hsm, scope: LocalScope, principalId: string, roleId: string): Promise<void>;
}

/** Of the data plane, as the REST reference of these operations has it. */
const VERSION = { 'api-version': '7.4' };
/** More than an HSM may have: 50 assignments at the HSM and 10 at a key, 50 custom definitions (Managed HSM, service limits). */
const MOST_PAGES = 20;

const PAGE = z.object({ value: z.array(z.unknown()), nextLink: z.string().nullish() });
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

/**
 * Calls about roles are so far apart: a Managed HSM answers five a second, whoever asks (service limits), and others ask too.
 * Milliseconds.
 */
const APART_MS = 250;

/** One look at an HSM asks for the lists of several scopes: what its roles allow is read once for all. Milliseconds. */
const DEFINITIONS_AGE_MS = 60_000;

type Send = ReturnType<typeof createJsonSender>;
export function createLocalRoles(
  credential: TokenCredential,
  cloud: Cloud,
  now: () => Date = () => new Date(),
): LocalRoles {
  const send = createJsonSender(credential, `https://${cloud.managedHsmSuffix}/.default`, LIMITS.localRoles);
  const list = createLists(send);
  // At a key that is not there yet, nobody has a role.
  const assignmentsAt = (hsm: Hsm, scope: LocalScope, signal?: AbortSignal) =>
    list(hsm, `${scope}/providers/Microsoft.Authorization/roleAssignments`, ASSIGNMENT, {
      mayBeMissing: scope.startsWith('/keys/'),
      signal,
    });
  const read = new Map<string, { readonly rights: Promise<ReadonlyMap<string, Rights>>; readonly readOn: number }>();

  /** By the name of the definition, lower case, as it stood at some time or later. */
  const rightsIn = async (hsm: Hsm, sinceMs: number, signal: AbortSignal | undefined) => {
    let known = read.get(hsm.uri);
    if (!known || known.readOn < sinceMs) {
      // Others may wait for the same answer: whoever asked first gives up alone.
      known = { rights: rightsOf(list, hsm), readOn: now().getTime() };
      read.set(hsm.uri, known);
    }
    const { rights } = known;
    // A failure is not kept: the next one who asks tries again.
    rights.catch(() => read.get(hsm.uri)?.rights === rights && read.delete(hsm.uri));
    if (!(await untilAborted(rights, signal))) signal?.throwIfAborted();
    return rights;
  };

  return {
    async grantsAt(hsm, scope, signal) {
      const beganMs = now().getTime();
      const found = await assignmentsAt(hsm, scope, signal);
      if (found.length === 0) return [];
      let rights = await rightsIn(hsm, beganMs - DEFINITIONS_AGE_MS, signal);
      // One that is not known may have been made since, and its role given at once.
      const isKnown = ({ properties }: (typeof found)[number]) => rights.has(definitionOf(properties));
      if (!found.every(isKnown)) rights = await rightsIn(hsm, beganMs, signal);
      return found.map(({ name, properties: { principalId, scope: at, ...role } }) => ({
        id: name,
        principalId,
        scope: at,
        conditional: false,
        // Without its definition, which was deleted, an assignment gives nothing ("Managed HSM role management").
        ...(rights.get(definitionOf(role)) ?? { dataActions: [], notDataActions: [] }),
      }));
    },
    async give(hsm, scope, principalId, roleId) {
      try {
        await send(assignment(hsm, scope, principalId, roleId));
      } catch (error) {
        if (describeFailure(error).kind !== 'conflict') throw error;
        // Somebody may have given it in the meantime; which other conflicts there are is not documented.
        // Whoever may not look hears of the conflict.
        const there = await assignmentsAt(hsm, scope).catch(() => []);
        const isIt = ({ properties }: (typeof there)[number]) =>
          properties.principalId.toLowerCase() === principalId.toLowerCase() && definitionOf(properties) === roleId;
        if (!there.some(isIt)) throw error;
      }
    },
  };
}

function assignment({ uri }: Hsm, scope: LocalScope, principalId: string, roleId: string): Parameters<Send>[0] {
  const name = assignmentName(`${uri}${scope}`, principalId, roleId);
  const roleDefinitionId = `Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/${roleId}`;
  return {
    method: 'PUT',
    url: `${uri}/${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`,
    query: VERSION,
    body: { properties: { roleDefinitionId, principalId } },
  };
}

/** Name of the definition, lower case. */
function definitionOf({ roleDefinitionId }: { readonly roleDefinitionId: string }): string {
  return lastName(roleDefinitionId).toLowerCase();
}

/** Whole lists, page by page, each in its turn. */
function createLists(send: Send) {
  const due = new Map<string, number>();
  const turn = async (uri: string, signal: AbortSignal | undefined): Promise<void> => {
    const nowMs = performance.now();
    const atMs = Math.max(nowMs, due.get(uri) ?? 0);
    due.set(uri, atMs + APART_MS);
    if (atMs > nowMs) await sleep(atMs - nowMs, undefined, signal ? { signal } : {});
  };
  return async <T>(
    { uri }: Hsm,
    path: string,
    item: z.ZodType<T>,
    {
      mayBeMissing = false,
      signal,
    }: { readonly mayBeMissing?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T[]> => {
    const found: T[] = [];
    const documented = <D>(type: z.ZodType<D>, answer: unknown): D => {
      const { data, success } = type.safeParse(answer);
      if (!success) throw new TypeError(`The list of ${path} is not as documented.`);
      return data;
    };
    // The path of `/` begins with three slashes, as the SDKs write it.
    let url = `${uri}/${path}`;
    for (let pages = 1; ; pages += 1) {
      await turn(uri, signal);
      const asking = () => send({ method: 'GET', url, query: VERSION, ...(signal ? { signal } : {}) });
      // A list that has begun is there.
      const page = mayBeMissing && pages === 1 ? await unlessMissing(asking) : await asking();
      if (page === undefined) return [];
      const { value, nextLink } = documented(PAGE, page);
      found.push(...documented(z.array(item), value));
      if (!nextLink) return found;
      // The token goes where the first page came from, and nowhere else.
      if (new URL(nextLink, url).origin !== new URL(uri).origin || pages >= MOST_PAGES) {
        throw new TypeError(`The list of ${path} goes on at ${nextLink}, which leads nowhere.`);
      }
      url = new URL(nextLink, url).href;
    }
  };
}

async function rightsOf(list: ReturnType<typeof createLists>, hsm: Hsm): Promise<ReadonlyMap<string, Rights>> {
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
