import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { createArmLister, createArmReader } from '../azure/json-sender.ts';
import { LIMITS } from '../azure/limits.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import type {
  InitiativeName,
  PolicyAssignment,
  PolicyExemption,
  PolicyInitiative,
  PolicyValues,
} from './key-policies.ts';

/** Reads Azure Policy for a vault. Read its errors with `describeFailure`. */
export interface KeyPolicies {
  /** Assignments at the vault and at its parent scopes, management groups included. */
  assignments(vault: ManagedVault, signal?: AbortSignal): Promise<readonly PolicyAssignment[]>;
  /** Reads a policy set definition. */
  initiative(named: InitiativeName, signal?: AbortSignal): Promise<PolicyInitiative>;
  /** Exemptions at the vault and at its parent scopes, expired exemptions included. */
  exemptions(vault: ManagedVault, signal?: AbortSignal): Promise<readonly PolicyExemption[]>;
}

const GIVEN = z.record(z.string(), z.object({ value: z.unknown().optional() })).nullish();

/** Azure Policy, "Policy Assignments - List For Resource". */
const ASSIGNMENT = z.object({
  id: z.string(),
  name: z.string(),
  properties: z.object({
    displayName: z.string().nullish(),
    policyDefinitionId: z.string(),
    enforcementMode: z.string().nullish(),
    notScopes: z.array(z.string()).nullish(),
    parameters: GIVEN,
    resourceSelectors: z.array(z.unknown()).nullish(),
    overrides: z.array(z.unknown()).nullish(),
  }),
});

/** Azure Policy, "Policy Set Definitions - Get". */
const INITIATIVE = z.object({
  properties: z.object({
    parameters: z.record(z.string(), z.object({ defaultValue: z.unknown().optional() })).nullish(),
    policyDefinitions: z.array(
      z.object({
        policyDefinitionId: z.string(),
        policyDefinitionReferenceId: z.string().nullish(),
        parameters: GIVEN,
      }),
    ),
  }),
});

/** Azure Policy, "Policy Exemptions - List For Resource". */
const EXEMPTION = z.object({
  properties: z.object({
    policyAssignmentId: z.string(),
    policyDefinitionReferenceIds: z.array(z.string()).nullish(),
    expiresOn: z.string().nullish(),
  }),
});

export function createKeyPolicies(credential: TokenCredential, cloud: Cloud): KeyPolicies {
  const read = createArmReader(credential, cloud, LIMITS.resourceManager);
  const listArm = createArmLister(credential, cloud, LIMITS.resourceManager);
  const list = (path: string, version: string, signal: AbortSignal | undefined) =>
    listArm(path, { 'api-version': version, $filter: 'atScope()' }, signal);

  return {
    async assignments({ id }, signal) {
      const path = `${id}/providers/Microsoft.Authorization/policyAssignments`;
      return z
        .array(ASSIGNMENT)
        .parse(await list(path, '2022-06-01', signal))
        .map(toAssignment);
    },
    async initiative({ scope, name }, signal) {
      const path = `${scope}/providers/Microsoft.Authorization/policySetDefinitions/${name}`;
      const { properties } = INITIATIVE.parse(await read(path, { 'api-version': '2021-06-01' }, signal));
      return toInitiative(properties);
    },
    async exemptions({ id }, signal) {
      const path = `${id}/providers/Microsoft.Authorization/policyExemptions`;
      return z
        .array(EXEMPTION)
        .parse(await list(path, '2022-07-01-preview', signal))
        .map(toExemption);
    },
  };
}

function toAssignment({ id, name, properties }: z.infer<typeof ASSIGNMENT>): PolicyAssignment {
  const { displayName, policyDefinitionId, enforcementMode, notScopes, resourceSelectors, overrides } = properties;
  return {
    id,
    name: displayName || name,
    definitionId: policyDefinitionId,
    enforced: (enforcementMode ?? 'Default').toLowerCase() === 'default',
    parameters: valuesOf(properties.parameters, ({ value }) => value),
    notScopes: notScopes ?? [],
    narrowed: (resourceSelectors ?? []).length + (overrides ?? []).length > 0,
  };
}

function toInitiative({ parameters, policyDefinitions }: z.infer<typeof INITIATIVE>['properties']): PolicyInitiative {
  return {
    defaults: valuesOf(parameters, ({ defaultValue }) => defaultValue),
    members: policyDefinitions.map(({ policyDefinitionId, policyDefinitionReferenceId, parameters: given }) => ({
      definitionId: policyDefinitionId,
      reference: policyDefinitionReferenceId ?? '',
      parameters: valuesOf(given, ({ value }) => value),
    })),
  };
}

function toExemption({ properties }: z.infer<typeof EXEMPTION>): PolicyExemption {
  const { policyAssignmentId, policyDefinitionReferenceIds, expiresOn } = properties;
  return {
    assignmentId: policyAssignmentId,
    references: policyDefinitionReferenceIds ?? [],
    expiresOn: expiresOn ? new Date(expiresOn) : undefined,
  };
}

function valuesOf<T>(given: Readonly<Record<string, T>> | null | undefined, value: (of: T) => unknown): PolicyValues {
  return Object.fromEntries(Object.entries(given ?? {}).map(([name, of]) => [name.toLowerCase(), value(of)]));
}
