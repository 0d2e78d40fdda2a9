import { setTimeout as sleep } from 'node:timers/promises';
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

type Hsm = Pick<ManagedVault, 'uri'>;

/** A whole Managed HSM, all its keys, or one key. */
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

/** Without its definition, which was deleted, an assignment gives nothing ("Managed HSM role management"). */
const NOTHING: Rights = { dataActions: [], notDataActions: [] };

export function createLocalRoles(credential: TokenCredential, cloud: Cloud): LocalRoles {
  const send = pacedSender(
    createJsonSender(credential, `https://${cloud.managedHsmSuffix}/.default`, LIMITS.localRoles),
  );
  const assignmentsAt = (hsm: Hsm, scope: LocalScope, signal?: AbortSignal) =>
    listAll(send, hsm, `${scope}/providers/Microsoft.Authorization/roleAssignments`, ASSIGNMENT, signal);
  return {
    async grantsAt(hsm, scope, signal) {
      const read = assignmentsAt(hsm, scope, signal);
      // A key that does not exist yet has no role assignments.
      const found = scope.startsWith('/keys/') ? await unlessMissing(() => read) : await read;
      if (!found || found.length === 0) return [];
      // Read afterwards: the role of each assignment is among them.
      const path = '//providers/Microsoft.Authorization/roleDefinitions';
      const definitions = await listAll(send, hsm, path, DEFINITION, signal);
      if (definitions.length === 0) {
        throw new TypeError('The list of role definitions is empty, and every HSM has built-in ones.');
      }
      const rights = new Map(definitions.map((one) => [one.name.toLowerCase(), rightsOf(one)]));
      return found.map(({ name: id, properties }) => {
        const { principalId, scope: at } = properties;
        return { id, principalId, scope: at, conditional: false, ...(rights.get(definitionOf(properties)) ?? NOTHING) };
      });
    },
    async give(hsm, scope, principalId, roleId, name = assignmentName(`${hsm.uri}${scope}`, principalId, roleId)) {
      const roleDefinitionId = `Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/${roleId}`;
      const url = `${hsm.uri}/${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`;
      try {
        await send({ method: 'PUT', url, query: VERSION, body: { properties: { roleDefinitionId, principalId } } });
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

/** Name of the definition, lower case. */
function definitionOf({ roleDefinitionId }: { readonly roleDefinitionId: string }): string {
  return lastName(roleDefinitionId).toLowerCase();
}

function rightsOf({ properties: { permissions } }: z.infer<typeof DEFINITION>): Rights {
  return {
    dataActions: permissions.flatMap(({ dataActions }) => dataActions),
    notDataActions: permissions.flatMap(({ notDataActions }) => notDataActions),
  };
}

type Send = ReturnType<typeof createJsonSender>;

/** Of the data plane, as the REST reference of these operations has it. */
const VERSION = { 'api-version': '7.4' };
/** More than an HSM may have: 50 assignments at the HSM and 10 at a key, 50 custom definitions (Managed HSM, service limits). */
const MOST_PAGES = 20;

/**
 * Reads a whole list, page by page.
 *
 * @throws TypeError for what is not as documented
 */
async function listAll<T>(
  send: Send,
  { uri }: Hsm,
  path: string,
  item: z.ZodType<T>,
  signal: AbortSignal | undefined,
): Promise<T[]> {
  const found: T[] = [];
  const type = z.object({ value: z.array(item), nextLink: z.string().nullish() });
  // The path of `/` begins with three slashes, as the SDKs write it.
  let url = `${uri}/${path}`;
  for (let pages = 1; ; pages += 1) {
    const answer = await send({ method: 'GET', url, query: VERSION, ...(signal ? { signal } : {}) });
    const { data: page } = type.safeParse(answer);
    if (!page) throw new TypeError(`The list of ${path} is not as documented.`);
    found.push(...page.value);
    if (!page.nextLink) return found;
    // The token goes where the first page came from, and nowhere else.
    if (new URL(page.nextLink, url).origin !== new URL(uri).origin || pages >= MOST_PAGES) {
      throw new TypeError(`The list of ${path} goes on at ${page.nextLink}, which leads nowhere.`);
    }
    url = new URL(page.nextLink, url).href;
  }
}

/**
 * Interval between calls about roles: a Managed HSM answers five a second for all callers together (service limits).
 * Milliseconds.
 */
const APART_MS = 250;

/** Sends the calls to each host at intervals. */
export function pacedSender(send: Send): Send {
  const due = new Map<string, number>();
  return async (call) => {
    const { host } = new URL(call.url);
    const nowMs = performance.now();
    const atMs = Math.max(nowMs, due.get(host) ?? 0);
    due.set(host, atMs + APART_MS);
    if (atMs > nowMs) await sleep(atMs - nowMs);
    return send(call);
  };
}
