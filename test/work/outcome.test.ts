import { describe, expect, it } from 'vitest';
import { REASONS } from '../../src/errors/reasons.ts';
import { toOutcome } from '../../src/work/outcome.ts';

const error = (fields: Record<string, unknown>) => Object.assign(new Error(String(fields.message ?? 'no')), fields);
const refusal = (statusCode: number, code: string, headers: Record<string, string> = {}) =>
  error({ statusCode, code, response: { headers } });
const unresolved = (host: string) => error({ code: 'ENOTFOUND', message: `getaddrinfo ENOTFOUND ${host}` });

describe('toOutcome', () => {
  it.each([
    ['throttling', refusal(429, 'TooManyRequests', { 'retry-after': '17' }), 'Throttled', false, 17],
    ['503 with a time', refusal(503, 'ServerBusy', { 'retry-after': '9' }), 'Throttled', false, 9],
    ['503 without one', refusal(503, 'ServerBusy'), 'ServiceUnavailable', true, undefined],
    ['a role that is missing', refusal(403, 'KeyVaultAuthenticationFailure'), 'IdentityHasNoAccess', true, undefined],
    ['a right of the app', refusal(403, 'AuthorizationFailed'), 'MissingPermission', true, undefined],
    ['a change by others', refusal(409, 'StorageAccountOperationInProgress'), 'Conflict', true, undefined],
    ['a denial of Azure Policy', refusal(403, 'RequestDisallowedByPolicy'), 'DeniedByPolicy', true, undefined],
    ['a lock', refusal(409, 'ScopeLocked'), 'ScopeLocked', true, undefined],
    ['a disabled subscription', refusal(409, 'ReadOnlyDisabledSubscription'), 'Refused', true, undefined],
    ['a vault that is gone', unresolved('kv-files.vault.azure.net'), 'VaultNotFound', true, undefined],
    ['ARM out of reach', unresolved('management.azure.com'), 'ServiceUnavailable', true, undefined],
    ['a cut connection', error({ code: 'ECONNRESET' }), 'ServiceUnavailable', true, undefined],
    ['a mistake of ours', new TypeError('x is not a function'), 'Unexpected', true, undefined],
  ])('A failed call is tried again after %s', (_, failure, reason, counts, delaySeconds) => {
    expect(toOutcome(failure)).toMatchObject({ outcome: 'retry', reason, counts, delaySeconds });
  });

  it('The outcome of a move that lacks a right on the identity names the right, its place, and the parameter that grants it', () => {
    const identity =
      '/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-storage';
    const right = 'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action';
    const refused = (perform: string) =>
      error({
        statusCode: 403,
        code: 'LinkedAuthorizationFailed',
        message: `The client 'c' with object id 'o' has permission to perform action 'Microsoft.Storage/storageAccounts/write' on scope '/subscriptions/s/…/stfiles01'; however, it does not have permission to perform ${perform} '${right}' on the linked scope(s) '${identity}' or the linked scope(s) are invalid.`,
      });

    for (const perform of ['action', 'action(s)']) {
      const outcome = toOutcome(refused(perform));
      expect(outcome).toMatchObject({ outcome: 'retry', reason: 'IdentityAssignmentDenied', counts: true });
      expect(outcome).toMatchObject({ detail: expect.stringContaining(`${right} on ${identity}`) });
      expect(outcome).toMatchObject({ detail: expect.stringContaining('CMK_ALLOW_IDENTITY_ASSIGNMENT=true') });
    }

    expect(REASONS.IdentityAssignmentDenied).toContain(right);
    expect(REASONS.IdentityAssignmentDenied).toContain('allowIdentityAssignment');
  });

  it.each([
    ['a version that Storage does not see yet', refusal(404, 'HttpResourceNotFound')],
    ['a key that Storage does not take', refusal(400, 'KeyVaultKeyNotSupported')],
  ])('A failed call is tried again a limited number of times after %s', (_, failure) => {
    expect(toOutcome(failure)).toMatchObject({ outcome: 'retry', reason: 'Refused', counts: true });
  });

  it.each([
    ['purge protection that is off', refusal(400, 'KeyVaultPolicyError'), 'PurgeProtectionOff'],
    ['a request that is wrong', refusal(400, 'InvalidRequestPropertyValue'), 'Refused'],
    ['something that does not exist', refusal(404, 'ResourceNotFound'), 'Refused'],
  ])('A failed call is left to a person after %s', (_, failure, reason) => {
    expect(toOutcome(failure)).toMatchObject({ outcome: 'reject', reason });
  });
});
