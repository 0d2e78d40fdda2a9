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
  const list = ({ id }: ManagedVault, type: string, version: string, signal: AbortSignal | undefined) =>
    listArm(
      `${id}/providers/Microsoft.Authorization/${type}`,
      { 'api-version': version, $filter: 'atScope()' },
      signal,
    );
  return {
    /** Assignments at the vault and at its parent scopes, management groups included. */
    assignments: async (vault: ManagedVault, signal?: AbortSignal) =>
      z.array(POLICY_ASSIGNMENT).parse(await list(vault, 'policyAssignments', '2022-06-01', signal)),
    /** Exemptions at the vault and at its parent scopes, expired exemptions included. */
    exemptions: async (vault: ManagedVault, signal?: AbortSignal) =>
      z.array(POLICY_EXEMPTION).parse(await list(vault, 'policyExemptions', '2022-07-01-preview', signal)),
    /** @param id of a policy set definition */
    initiative: async (id: string, signal?: AbortSignal) =>
      POLICY_INITIATIVE.parse(await read(id, { 'api-version': '2021-06-01' }, signal)),
  };
}
