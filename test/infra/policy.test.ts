import { describe, expect, it } from 'vitest';
import { at } from './arm/json.ts';
import { dryRun } from './arm/templates.ts';

describe('policy assignments', () => {
  it('are the built-in audits, by id', async () => {
    const { azure } = await dryRun('policy', {});
    const ids = azure.resources.map(({ body }) =>
      String(at(body, 'properties', 'policyDefinitionId'))
        .split('/')
        .at(-1),
    );
    expect(ids.sort()).toEqual(
      [
        '6fac406b-40ca-413b-bf8e-0bf964659c25', // storage accounts should use customer-managed keys
        'b5ec538c-daa0-4006-8596-35468b9148e8', // encryption scopes too
        '0b60c0b2-2dc2-4e1c-b5c9-abbed971de53', // purge protection
        '1e66c121-a66a-4b1f-9b83-0fd99bf0fc2d', // soft delete
        'c39ba22d-4428-4149-b981-70acb31fc383', // purge protection of Managed HSMs
        '12d4fa5e-1f9f-4c21-97a9-b99b3c6611b5', // RBAC
        'd8cf8476-a2ec-4916-896e-992351803c44', // rotation policy
        '152b15f7-8e1f-4c1f-ab71-8c010ba5dbc0', // expiration date
      ].sort(),
    );
  });

  it('report and block nothing: a Deny on keys could stop a rotation', async () => {
    const { azure } = await dryRun('policy', {});
    expect(new Set(azure.resources.map(({ body }) => at(body, 'properties', 'parameters', 'effect', 'value')))).toEqual(
      new Set(['Audit']),
    );
  });

  it('have names that Azure takes for an assignment', async () => {
    const { azure } = await dryRun('policy', {});
    for (const { id } of azure.resources) expect(id.slice(id.lastIndexOf('/') + 1).length).toBeLessThanOrEqual(24);
  });
});
