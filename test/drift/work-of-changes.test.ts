import { expect, it } from 'vitest';
import { formatScopeId } from '../../src/azure/resource-id.ts';
import type { ChangeRow } from '../../src/drift/changes/change-rows.ts';
import { planWorkOfChanges } from '../../src/drift/changes/check-changes.ts';
import { account, NOW } from './checks/subjects.ts';

const { id, subscriptionId: subscription } = account();

function change(resource: string, more: Partial<ChangeRow> = {}) {
  const changedBy = { on: NOW.toISOString(), operation: 'write', resource, confirmed: false };
  return { concern: 'account', at: id, changedBy, ...more } as const;
}

it('an event about an encryption scope has the scopes of its account listed, and one about an account has it read', () => {
  expect(planWorkOfChanges([change(formatScopeId(id, 'scope1'))])).toEqual([
    { subscription, kind: 'scopes', about: id },
  ]);
  expect(planWorkOfChanges([change(id)])).toEqual([{ subscription, kind: 'account', about: id }]);
});

it('the second check of a change, and a change of a vault, create no work item for an account', () => {
  expect(planWorkOfChanges([change(id, { firstCheck: NOW }), change(id, { concern: 'vault' })])).toEqual([]);
});
