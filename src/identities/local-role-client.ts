import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { describeFailure, readUnlessMissing } from '../azure/failure.ts';
import { createJsonSender, createLister } from '../azure/json-sender.ts';
import { LIMITS } from '../azure/limits.ts';
import { getLastName } from '../azure/resource-id.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import { createAssignmentName } from './authorization-client.ts';
import type { RoleGrant } from './role-grant.ts';

type Hsm = Pick<ManagedVault, 'uri'>;

/** Scope: the whole Managed HSM, all its keys, or one key. */
export type LocalScope = '/' | '/keys' | `/keys/${string}`;

export type LocalRoles = ReturnType<typeof createLocalRoles>;

const ASSIGNMENTS = z.array(
  z.object({
    name: z.string(),
    properties: z.object({ principalId: z.string(), scope: z.string().startsWith('/'), roleDefinitionId: z.string() }),
  }),
);
const ACTIONS = z
  .array(z.string())
  .nullish()
  .transform((actions) => actions ?? []);
/** Never empty: every HSM has built-in roles. */
const DEFINITIONS = z
  .array(
    z.object({
      name: z.string(),
      properties: z.object({ permissions: z.array(z.object({ dataActions: ACTIONS, notDataActions: ACTIONS })) }),
    }),
  )
  .min(1);

type Rights = Pick<RoleGrant, 'dataActions' | 'notDataActions'>;

/** An assignment whose role definition was deleted grants nothing ("Managed HSM role management"). */
const NOTHING: Rights = { dataActions: [], notDataActions: [] };

/** Local RBAC of Managed HSMs, which Azure Resource Manager does not show. Read its errors with `describeFailure`. */
export function createLocalRoles(credential: TokenCredential, cloud: Cloud) {
  const send = createPacedSender(
    createJsonSender(credential, `https://${cloud.managedHsmSuffix}/.default`, LIMITS.localRoles),
  );

  /** The path of the scope `/` begins with three slashes, as the SDKs write it. */
  const listsOf = ({ uri }: Hsm) =>
    createLister((path, query, signal) => send({ method: 'GET', url: `${uri}/${path}`, query, signal }));
  const assignmentsAt = async (hsm: Hsm, scope: LocalScope, signal?: AbortSignal) =>
    ASSIGNMENTS.parse(
      await listsOf(hsm)(`${scope}/providers/Microsoft.Authorization/roleAssignments`, VERSION, signal),
    );

  return {
    /**
     * Lists the assignments at a scope with the rights of their roles. Only a list at a single key shows its assignments
     * ("Managed HSM role management"). Needs `roleAssignments/read/action` there and `roleDefinitions/read/action` at
     * `/`: the built-in Managed HSM Crypto Auditor has both.
     */
    async grantsAt(hsm: Hsm, scope: LocalScope, signal?: AbortSignal): Promise<RoleGrant[]> {
      const read = assignmentsAt(hsm, scope, signal);

      // A key that does not exist yet has no role assignments.
      const found = scope.startsWith('/keys/') ? await readUnlessMissing(() => read) : await read;
      if (!found || found.length === 0) return [];

      // This read comes second, so that it includes the role of each assignment.
      const path = '//providers/Microsoft.Authorization/roleDefinitions';
      const definitions = DEFINITIONS.parse(await listsOf(hsm)(path, VERSION, signal));
      const rights = new Map(
        definitions.map(({ name, properties: { permissions } }): [string, Rights] => [
          name.toLowerCase(),
          {
            dataActions: permissions.flatMap(({ dataActions }) => dataActions),
            notDataActions: permissions.flatMap(({ notDataActions }) => notDataActions),
          },
        ]),
      );

      return found.map(({ name: id, properties }) => {
        const { principalId, scope: at } = properties;
        return { id, principalId, scope: at, conditional: false, ...(rights.get(definitionOf(properties)) ?? NOTHING) };
      });
    },
    /**
     * Assigns a built-in role. Idempotent. Needs `roleAssignments/write/action` at the scope.
     *
     * @param roleId GUID of its definition
     */
    async give(hsm: Hsm, scope: LocalScope, principalId: string, roleId: string): Promise<void> {
      const name = createAssignmentName(`${hsm.uri}${scope}`, principalId, roleId);
      const roleDefinitionId = `Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/${roleId}`;
      const url = `${hsm.uri}/${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`;
      try {
        await send({ method: 'PUT', url, query: VERSION, body: { properties: { roleDefinitionId, principalId } } });
      } catch (error) {
        if (describeFailure(error).kind !== 'conflict') throw error;

        // Another caller may have assigned the role in the meantime; other conflicts are not documented. A caller that
        // may not list assignments gets the conflict.
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
  return getLastName(roleDefinitionId).toLowerCase();
}

type Send = ReturnType<typeof createJsonSender>;

/** API version of the data plane in the REST reference. */
const VERSION = { 'api-version': '7.4' };

/**
 * Interval between role calls, in milliseconds: a Managed HSM answers five per second for all callers together (service
 * limits).
 */
const APART_MS = 250;

/** Sends the calls to each host at intervals. */
export function createPacedSender(send: Send): Send {
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
