import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../src/cli/exit-codes.ts';
import { explain } from '../../src/cli/explain.ts';
import { CmkError } from '../../src/errors.ts';
import { POLICY_DENIAL, SCOPE_LOCKED } from '../support/blocked.ts';

/** An error as the SDKs throw them. */
const azure = (statusCode: number, code: string, message = 'said by Azure'): Error =>
  Object.assign(new Error(message), { name: 'RestError', statusCode, code });

const noVault = (code: string, statusCode?: number): Error =>
  Object.assign(new Error(statusCode ? `Pagination failed with unexpected statusCode ${statusCode}` : `${code} x`), {
    ...(statusCode ? { name: 'RestError', statusCode } : { code }),
    request: { url: 'https://kv-nowhere.vault.azure.net/keys/k/versions' },
  });

const ofHsm = (message: string): Error =>
  Object.assign(azure(403, 'AccessDenied', message), {
    request: { url: 'https://hsm-files.managedhsm.azure.net/keys/k/versions' },
  });

describe('explain', () => {
  it.each([
    ['no purge protection', azure(400, 'KeyVaultPolicyError'), 'PurgeProtectionOff', /cmk vault ensure/, 3],
    [
      'a missing role of the identity',
      azure(403, 'KeyVaultAuthenticationFailure'),
      'IdentityHasNoAccess',
      /cmk admin ensure-identity/,
      3,
    ],
    ['a key that is not found', azure(404, 'HttpResourceNotFound'), 'KeyNotFound', /cmk key show/, 3],
    ['a key of a wrong kind', azure(400, 'KeyVaultKeyNotSupported'), 'KeyUnsupported', /--size 3072/, 3],
    ['an account without an identity', azure(400, 'MissingMsiHeaders'), 'IdentityHasNoAccess', /--identity/, 3],
    ['a resource group that is not there', azure(404, 'ResourceGroupNotFound'), 'NotFound', /az group create/, 3],
    ['a subscription that is not there', azure(404, 'SubscriptionNotFound'), 'NotFound', /az account list/, 3],
    ['a vault name that is taken', azure(409, 'VaultAlreadyExists'), 'NameTaken', /another name/, 3],
    [
      'a missing right to attach an identity',
      azure(403, 'LinkedAuthorizationFailed'),
      'MissingPermission',
      /Managed Identity Operator/,
      4,
    ],
    [
      'a missing right on a dead-letter destination',
      azure(
        403,
        'LinkedAuthorizationFailed',
        "The client has permission …; however, it does not have permission to perform action(s) 'Microsoft.Storage/storageAccounts/write' on the linked scope(s) '/subscriptions/s/st' (respectively) or the linked scope(s) are invalid.",
      ),
      'MissingPermission',
      /a role with Microsoft\.Storage\/storageAccounts\/write on \/subscriptions\/s\/st/,
      4,
    ],
    [
      'a missing right on keys',
      azure(403, 'Forbidden', 'Caller is not authorized to perform action on resource.'),
      'MissingPermission',
      /cmk admin grant-role --assignee me/,
      4,
    ],
    [
      'the firewall of a vault',
      azure(403, 'Forbidden', 'Client address is not authorized and caller is not a trusted service.'),
      'MissingPermission',
      /firewall/,
      4,
    ],
    [
      'a list that is refused, of which the SDK says no more',
      azure(403, 'Forbidden', 'Pagination failed with unexpected statusCode 403'),
      'MissingPermission',
      /cmk admin grant-role --assignee me .* firewall/,
      4,
    ],
    [
      'a missing local role in a Managed HSM',
      ofHsm('Not authorized to access Microsoft.KeyVault/managedHsm/keys/write/action on /keys/k (Activity ID: 1)'),
      'MissingPermission',
      /az keyvault role assignment create --hsm-name hsm-files --role "Managed HSM Crypto User" .* --scope \/keys\/k$/,
      4,
    ],
    [
      'a missing right to recover there',
      ofHsm('Not authorized to access Microsoft.KeyVault/managedHsm/keys/deletedKeys/recover/action on /keys/k (x)'),
      'MissingPermission',
      /"Managed HSM Crypto Officer"/,
      4,
    ],
    [
      'a list that an HSM refuses',
      ofHsm('Pagination failed with unexpected statusCode 403'),
      'MissingPermission',
      /--hsm-name hsm-files .* --scope \/keys$/,
      4,
    ],
    [
      'a disabled key there',
      ofHsm('The key is disabled.'),
      'MissingPermission',
      /cmk key show <key> --hsm hsm-files/,
      4,
    ],
    ['no purge protection of an HSM', azure(400, 'KeyVaultPolicyError'), 'PurgeProtectionOff', /update-hsm/, 3],
    ['a vault that there is not', noVault('ENOTFOUND'), 'VaultNotFound', /Check its name/, 3],
    ['a vault that there is not, by a proxy', noVault('RestError', 502), 'VaultNotFound', /Check its name/, 3],
    ['a vault that hangs', noVault('ETIMEDOUT'), 'ServiceUnavailable', /run it again/, 5],
    [
      'Entra ID out of reach',
      Object.assign(new Error('network_error: See …'), { name: 'AuthenticationError' }),
      'ServiceUnavailable',
      /HTTPS_PROXY/,
      5,
    ],
    ['throttling', azure(429, 'TooManyRequests'), 'Throttled', /Run it again in 60 s/, 5],
    ['trouble of the service', azure(500, 'InternalServerError'), 'ServiceUnavailable', /cmk doctor/, 5],
    [
      'a name that does not resolve',
      Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }),
      'ServiceUnavailable',
      /network/,
      5,
    ],
    [
      'no sign-in',
      Object.assign(new Error('x'), { name: 'CredentialUnavailableError' }),
      'SignInNeeded',
      /az login/,
      4,
    ],
    [
      'a sign-in that is over',
      Object.assign(new Error('x'), { name: 'AggregateAuthenticationError' }),
      'SignInNeeded',
      /az login/,
      4,
    ],
    ['a change at the same time', azure(409, 'Conflict'), 'Refused', /run the command again/, 3],
    [
      'a denial of Azure Policy',
      azure(403, POLICY_DENIAL.body.error.code, POLICY_DENIAL.body.error.message),
      'DeniedByPolicy',
      /az policy exemption create .* --policy-assignment \/subscriptions\/s\/.*\/freeze/,
      3,
    ],
    [
      'a lock',
      azure(409, SCOPE_LOCKED.body.error.code, SCOPE_LOCKED.body.error.message),
      'ScopeLocked',
      /az lock list --subscription s --resource-group rg-files/,
      3,
    ],
    ['a bug', new TypeError('x is not a function'), 'Unexpected', /report it/, 70],
  ])('turns %s into a sentence with the next step', (_, error, reason, nextStep, code) => {
    const explanation = explain(error);
    expect(explanation).toMatchObject({ reason, nextStep: expect.stringMatching(nextStep) });
    expect(explanation.message).not.toBe('');
    expect(exitCodeOf(explanation.reason)).toBe(code);
  });

  it('names the right that is missing, and where', () => {
    const message =
      "The client 'a' with object id 'b' does not have authorization to perform action 'Microsoft.Storage/storageAccounts/write' over scope '/subscriptions/s' or the scope is invalid.";
    expect(explain(azure(403, 'AuthorizationFailed', message))).toEqual({
      reason: 'MissingPermission',
      message: 'Your sign-in lacks the right Microsoft.Storage/storageAccounts/write on /subscriptions/s.',
      nextStep: expect.stringContaining('Owner or User Access Administrator of /subscriptions/s'),
    });
  });

  it('names the vault, for the next step to be one that can be run', () => {
    const request = { url: 'https://kv-files.vault.azure.net/keys/k/versions' };
    const error = Object.assign(azure(403, 'Forbidden', 'Caller is not authorized.'), { request });
    expect(explain(error).nextStep).toContain('cmk admin grant-role --assignee me --vault kv-files;');
    expect(explain(noVault('ENOTFOUND')).message).toMatch(/^The vault kv-nowhere does not answer: /);
  });

  it('leaves our own refusals as they are', () => {
    const { reason, message, nextStep } = explain(new CmkError('KeyDisabled', 'It is disabled.', 'Enable it.'));
    expect([reason, message, nextStep]).toEqual(['KeyDisabled', 'It is disabled.', 'Enable it.']);
  });
});
