import { describe, expect, it } from 'vitest';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import { REASONS } from '../../src/reasons.ts';
import type { RotationReading } from '../../src/rollout/read-rotation.ts';
import { viewRotation } from '../../src/rollout/rotation-view.ts';

const KEY = { id: 'https://kv-files.vault.azure.net/keys/files-key' } as ManagedKey;
const COUNTS = { moved: 1, waiting: 0, failed: 2, left: 0 };

const reading = (failures: Record<string, number>, stage: object = { name: 'rest' }) =>
  ({ progress: { state: 'stuck', version: 'v2', ...COUNTS, failures }, stage }) as unknown as RotationReading;

describe('the view of a rotation that the app lacks a right for', () => {
  const right = REASONS.IdentityAssignmentDenied;

  it('says which right, and the parameter that gives it', () => {
    expect(viewRotation(KEY, reading({ IdentityAssignmentDenied: 2 }), undefined)).toMatchObject({
      state: 'stuck',
      detail: right,
    });
    expect(viewRotation(KEY, reading({ IdentityHasNoAccess: 2 }), undefined)).not.toHaveProperty('detail');
  });

  it('says so beside the canary that failed for it', () => {
    const canary = { name: 'canary', state: 'failed', counts: COUNTS, uses: [] };
    const view = viewRotation(KEY, reading({ IdentityAssignmentDenied: 2 }, canary), undefined);
    expect(view).toMatchObject({ state: 'held', reason: 'CanaryFailed' });
    expect(view.detail).toMatch(/2 failed/);
    expect(view.detail?.endsWith(right)).toBe(true);
  });
});
