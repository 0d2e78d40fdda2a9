import { ResourceGraphClient } from '@azure/arm-resourcegraph';
import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { type CallLimits, LIMITS } from '../azure/limits.ts';
import {
  createArmOptions,
  createAuthorizationManagement,
  formatArmScope,
  toAbortOption,
} from '../azure/resource-manager.ts';

export type Principals = ReturnType<typeof createPrincipals>;

/** Queries for user-assigned identities and for system-assigned identities of other resources. */
const WHERE = [
  (ids: string) =>
    `where type =~ 'microsoft.managedidentity/userassignedidentities' | where tostring(properties.principalId) in~ (${ids}) | project id, properties.principalId`,
  (ids: string) => `where tostring(identity.principalId) in~ (${ids}) | project id, identity.principalId`,
];
const ROWS = z.array(
  z
    .object({ properties_principalId: z.string(), identity_principalId: z.string() })
    .partial()
    .transform((row) => row.properties_principalId ?? row.identity_principalId),
);

/** Types of principals, without Microsoft Graph: the app has no consent for it. */
export function createPrincipals(credential: TokenCredential, cloud: Cloud, limits?: CallLimits) {
  const { roleAssignments } = createAuthorizationManagement(credential, cloud, limits);
  const graph = new ResourceGraphClient(credential, createArmOptions(cloud, LIMITS.resourceGraph));

  return {
    /**
     * Returns the principals that are not groups, in lower case. These are readable managed identities, and users or
     * applications with an Azure role at the scope (an ARM id) or above.
     */
    async noGroups(
      principalIds: ReadonlySet<string>,
      scope: string,
      signal?: AbortSignal,
    ): Promise<ReadonlySet<string>> {
      const found = new Set<string>();

      // The ids come from an HSM's answer, so they are checked before they go into a query.
      const ids = [...principalIds].filter((id) => /^[0-9a-f-]{36}$/i.test(id));
      if (ids.length === 0) return found;

      for (const where of WHERE) {
        const query = `resources | ${where(ids.map((id) => `'${id}'`).join(', '))}`;
        const options = { resultFormat: 'objectArray', top: 1_000 } as const;
        const { data } = await graph.resources({ query, options }, toAbortOption(signal));
        for (const id of ROWS.parse(data)) {
          if (id !== undefined) found.add(id.toLowerCase());
        }
      }

      if (ids.every((id) => found.has(id.toLowerCase()))) return found;

      for await (const one of roleAssignments.listForScope(formatArmScope(scope), {
        filter: 'atScope()',
        ...toAbortOption(signal),
      })) {
        const isNone = one.principalType === 'User' || one.principalType === 'ServicePrincipal';
        if (isNone && one.principalId) found.add(one.principalId.toLowerCase());
      }

      return found;
    },
  };
}
