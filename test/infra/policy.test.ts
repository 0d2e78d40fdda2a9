import { expect, it } from 'vitest';
import { nameOf } from './arm/dry-azure.ts';
import { at } from './arm/json.ts';
import { dryRun } from './arm/templates.ts';

/** The built-in audits, by id. */
const AUDITS = [
  '6fac406b-40ca-413b-bf8e-0bf964659c25', // storage accounts should use customer-managed keys
  'b5ec538c-daa0-4006-8596-35468b9148e8', // encryption scopes too
  '0b60c0b2-2dc2-4e1c-b5c9-abbed971de53', // purge protection
  '1e66c121-a66a-4b1f-9b83-0fd99bf0fc2d', // soft delete
  'c39ba22d-4428-4149-b981-70acb31fc383', // purge protection of Managed HSMs
  '12d4fa5e-1f9f-4c21-97a9-b99b3c6611b5', // RBAC
  'd8cf8476-a2ec-4916-896e-992351803c44', // rotation policy
  '152b15f7-8e1f-4c1f-ab71-8c010ba5dbc0', // expiration date
];

it('policy assignments are the built-in audits, and deny nothing, as that could stop a rotation', async () => {
  const { resources } = (await dryRun('policy', {})).azure;
  const ids = resources.map(({ body }) => nameOf(String(at(body, 'properties', 'policyDefinitionId'))));
  expect(ids.sort()).toEqual(AUDITS.sort());
  for (const { id, body } of resources) {
    expect(at(body, 'properties', 'parameters', 'effect', 'value')).toBe('Audit');
    // What Azure takes for an assignment.
    expect(nameOf(id).length).toBeLessThanOrEqual(24);
  }
});
