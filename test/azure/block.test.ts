import { expect, it } from 'vitest';
import { canPass, describeFailure, describeAnswerOf as told } from '../../src/azure/failure.ts';
import { ACCOUNT, POLICY_DENIAL, SCOPE_LOCKED } from '../support/blocked.ts';

/** An error as the SDKs throw it for an answer of Azure Resource Manager. */
function thrown({ status, body }: { readonly status: number; readonly body: { readonly error: object } }): unknown {
  const { code, message } = body.error as { code: string; message: string };
  return Object.assign(new Error(message), { name: 'RestError', statusCode: status, code, details: body });
}

const other = (status: number, code: string, message: string) => thrown({ status, body: { error: { code, message } } });

it.each([
  [
    'a denial of Azure Policy, with the policy and its assignment',
    thrown(POLICY_DENIAL),
    'DeniedByPolicy',
    [
      '403 RequestDisallowedByPolicy: ',
      'the policy "Storage accounts must not change keys"',
      'assigned as "Freeze" (/subscriptions/s/providers/Microsoft.Authorization/policyAssignments/freeze)',
      'exempt the resource',
    ],
  ],
  [
    'a lock, with what is locked and how to find it',
    thrown(SCOPE_LOCKED),
    'ScopeLocked',
    ['409 ScopeLocked: ', `A lock on ${ACCOUNT} forbids`, 'az lock list --subscription s --resource-group rg-files'],
  ],
  [
    'a lock on a subscription',
    other(
      409,
      'ScopeLocked',
      "following scope(s) are locked: '/subscriptions/s'. Please remove the lock and try again.",
    ),
    'ScopeLocked',
    ['A lock on /subscriptions/s forbids', 'az lock list --subscription s shows'],
  ],
  [
    'a subscription that is disabled',
    other(409, 'ReadOnlyDisabledSubscription', "The subscription 's' is disabled and therefore marked as read only."),
    'Refused',
    ["The subscription 's' is disabled", 'Enable the subscription'],
  ],
  [
    'a resource provider that is not registered',
    other(409, 'MissingSubscriptionRegistration', "The subscription is not registered to use namespace 'Microsoft.X'."),
    'Refused',
    ["namespace 'Microsoft.X'", 'az provider register'],
  ],
])('a failure names %s', (_, error, reason, parts) => {
  const failure = describeFailure(error);
  expect(failure).toMatchObject({ kind: 'blocked', block: { reason } });
  expect(canPass(failure)).toBe(false);
  for (const part of parts) expect(told(failure)).toContain(part);
});

it('a failure names a denial of Azure Policy without details', () => {
  const failure = describeFailure(other(403, 'RequestDisallowedByPolicy', 'no'));
  expect(told(failure)).toMatch(/^403 RequestDisallowedByPolicy: Azure Policy denies the request\. no /);
});
