import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { createArmLister, createArmReader } from '../azure/json-sender.ts';
import { LIMITS } from '../azure/limits.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import { POLICY_ASSIGNMENT, POLICY_EXEMPTION, POLICY_INITIATIVE } from './key-policies.ts';

export type KeyPolicies = ReturnType<typeof createKeyPolicies>;

/** Reads Azure Policy for a vault. Read its errors with `describeFailure`. */
export function createKeyPolicies(credential: TokenCredential, cloud: Cloud) {
  const read = createArmReader(credential, cloud, LIMITS.resourceManager);
  const listArm = createArmLister(credential, cloud, LIMITS.resourceManager);
  const list = (path: string, version: string, signal: AbortSignal | undefined) =>
    listArm(path, { 'api-version': version, $filter: 'atScope()' }, signal);

  return {
    /** Assignments at the vault and at its parent scopes, management groups included. */
    async assignments({ id }: ManagedVault, signal?: AbortSignal) {
      const path = `${id}/providers/Microsoft.Authorization/policyAssignments`;
      return z.array(POLICY_ASSIGNMENT).parse(await list(path, '2022-06-01', signal));
    },
    /** Exemptions at the vault and at its parent scopes, expired exemptions included. */
    async exemptions({ id }: ManagedVault, signal?: AbortSignal) {
      const path = `${id}/providers/Microsoft.Authorization/policyExemptions`;
      return z.array(POLICY_EXEMPTION).parse(await list(path, '2022-07-01-preview', signal));
    },
    /** @param scope subscription or management group of its definition; empty: built-in */
    async initiative(scope: string, name: string, signal?: AbortSignal) {
      const path = `${scope}/providers/Microsoft.Authorization/policySetDefinitions/${name}`;
      return POLICY_INITIATIVE.parse(await read(path, { 'api-version': '2021-06-01' }, signal));
    },
  };
}
