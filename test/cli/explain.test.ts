import { describe, expect, it } from 'vitest';
import { getExitCode } from '../../src/cli/terminal/exit-codes.ts';
import { explain } from '../../src/cli/terminal/explain.ts';
import { CmkError } from '../../src/errors/errors.ts';
import { POLICY_DENIAL, SCOPE_LOCKED } from '../support/blocked.ts';

/** An error as the SDKs throw them. */
const azure = (statusCode: number, code: string, message = 'said by Azure'): Error =>
  Object.assign(new Error(message), { name: 'RestError', statusCode, code });
const blocked = ({ status, body: { error } }: typeof POLICY_DENIAL | typeof SCOPE_LOCKED) =>
  azure(status, error.code, error.message);
const named = (name: string, message = 'x'): Error => Object.assign(new Error(message), { name });

const noVault = (code: string, statusCode?: number): Error =>
  Object.assign(new Error(statusCode ? `Pagination failed with unexpected statusCode ${statusCode}` : `${code} x`), {
    ...(statusCode ? { name: 'RestError', statusCode } : { code }),
    request: { url: 'https://kv-nowhere.vault.azure.net/keys/k/versions' },
  });

const ofHsm = (message: string): Error =>
  Object.assign(azure(403, 'AccessDenied', message), {
    request: { url: 'https://hsm-files.managedhsm.azure.net/keys/k/versions' },
  });
const inHsm = (action: string) =>
  ofHsm(`Not authorized to access Microsoft.KeyVault/managedHsm/keys/${action} on /keys/k (x)`);
const ofVault = (message: string) => azure(403, 'Forbidden', message);

const LINKED =
  "The client has permission …; however, it does not have permission to perform action(s) 'Microsoft.Storage/storageAccounts/write' on the linked scope(s) '/subscriptions/s/st' (respectively) or the linked scope(s) are invalid.";

describe('explain', () => {
  it.each([
    ['no purge protection', azure(400, 'KeyVaultPolicyError'), 'PurgeProtectionOff', /cmk vault ensure/],
    ['no purge protection of an HSM', azure(400, 'KeyVaultPolicyError'), 'PurgeProtectionOff', /update-hsm/],
    ['no role', azure(403, 'KeyVaultAuthenticationFailure'), 'IdentityHasNoAccess', /cmk admin ensure-identity/],
    ['a key that is not found', azure(404, 'HttpResourceNotFound'), 'KeyNotFound', /cmk key show/],
    ['a key of a wrong kind', azure(400, 'KeyVaultKeyNotSupported'), 'KeyUnsupported', /--size 3072/],
    ['an account without an identity', azure(400, 'MissingMsiHeaders'), 'IdentityHasNoAccess', /--identity/],
    ['no such resource group', azure(404, 'ResourceGroupNotFound'), 'NotFound', /az group create/],
    ['no such subscription', azure(404, 'SubscriptionNotFound'), 'NotFound', /az account list/],
    ['a vault name that is taken', azure(409, 'VaultAlreadyExists'), 'NameTaken', /another name/],
    ['a right to attach', azure(403, 'LinkedAuthorizationFailed'), 'MissingPermission', /Managed Identity Operator/],
    [
      'a missing right on a dead-letter destination',
      azure(403, 'LinkedAuthorizationFailed', LINKED),
      'MissingPermission',
      /a role with Microsoft\.Storage\/storageAccounts\/write on \/subscriptions\/s\/st/,
    ],
    [
      'a right on keys',
      ofVault('Caller is not authorized to …'),
      'MissingPermission',
      /admin grant-role --assignee me/,
    ],
    ['the firewall of a vault', ofVault('Client address is not authorized …'), 'MissingPermission', /firewall/],
    [
      'a list that is refused, of which the SDK says no more',
      ofVault('Pagination failed with unexpected statusCode 403'),
      'MissingPermission',
      /cmk admin grant-role --assignee me .* firewall/,
    ],
    [
      'a missing local role in a Managed HSM',
      inHsm('write/action'),
      'MissingPermission',
      /az keyvault role assignment create --hsm-name hsm-files --role "Managed HSM Crypto User" .* --scope \/keys\/k$/,
    ],
    [
      'no right to recover there',
      inHsm('deletedKeys/recover/action'),
      'MissingPermission',
      /"Managed HSM Crypto Officer"/,
    ],
    [
      'a list that an HSM refuses',
      ofHsm('Pagination failed with unexpected statusCode 403'),
      'MissingPermission',
      /--hsm-name hsm-files .* --scope \/keys$/,
    ],
    ['a disabled key', ofHsm('The key is disabled.'), 'MissingPermission', /cmk key show <key> --hsm hsm-files/],
    ['an unknown vault', noVault('ENOTFOUND'), 'VaultNotFound', /Check its name/],
    ['an unknown vault, by a proxy', noVault('RestError', 502), 'VaultNotFound', /Check its name/],
    ['a vault that hangs', noVault('ETIMEDOUT'), 'ServiceUnavailable', /run it again/],
    ['Entra ID', named('AuthenticationError', 'network_error: See …'), 'ServiceUnavailable', /HTTPS_PROXY/],
    ['throttling', azure(429, 'TooManyRequests'), 'Throttled', /Run it again in 60 s/],
    ['trouble of the service', azure(500, 'InternalServerError'), 'ServiceUnavailable', /cmk doctor/],
    ['no such host', Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }), 'ServiceUnavailable', /network/],
    ['no sign-in', named('CredentialUnavailableError'), 'SignInNeeded', /az login/],
    ['a sign-in that is over', named('AggregateAuthenticationError'), 'SignInNeeded', /az login/],
    ['a change at the same time', azure(409, 'Conflict'), 'Refused', /run the command again/],
    ['a denial of Azure Policy', blocked(POLICY_DENIAL), 'DeniedByPolicy', /policy exemption create .*\/s\/.*\/freeze/],
    ['a lock', blocked(SCOPE_LOCKED), 'ScopeLocked', /az lock list --subscription s --resource-group rg-files/],
    ['a bug', new TypeError('x is not a function'), 'Unexpected', /report it/],
  ])('The command line turns %s into a sentence with the next step', (_, error, reason, nextStep) => {
    const explanation = explain(error);
    expect(explanation).toMatchObject({ reason, nextStep: expect.stringMatching(nextStep) });
    expect(explanation.message).not.toBe('');
  });

  it.each([
    ['PurgeProtectionOff', 3],
    ['KeyNotFound', 3],
    ['Refused', 3],
    ['DeniedByPolicy', 3],
    ['MissingPermission', 4],
    ['SignInNeeded', 4],
    ['ServiceUnavailable', 5],
    ['Throttled', 5],
    ['Unexpected', 70],
  ] as const)('The reason %s exits %i', (reason, code) => {
    expect(getExitCode(reason)).toBe(code);
  });

  it('An error of authorization names the missing right and its scope', () => {
    const message =
      "The client 'a' with object id 'b' does not have authorization to perform action 'Microsoft.Storage/storageAccounts/write' over scope '/subscriptions/s' or the scope is invalid.";
    expect(explain(azure(403, 'AuthorizationFailed', message))).toEqual({
      reason: 'MissingPermission',
      message: 'Your sign-in lacks the right Microsoft.Storage/storageAccounts/write on /subscriptions/s.',
      nextStep: expect.stringContaining('Owner or User Access Administrator of /subscriptions/s'),
    });
  });

  it('An error of a vault names it, so that the next step can be run', () => {
    const request = { url: 'https://kv-files.vault.azure.net/keys/k/versions' };
    const error = Object.assign(ofVault('Caller is not authorized.'), { request });
    expect(explain(error).nextStep).toContain('cmk admin grant-role --assignee me --vault kv-files;');
    expect(explain(noVault('ENOTFOUND')).message).toMatch(/^The vault kv-nowhere does not answer: /);
  });

  it('The command line prints the refusals of the app unchanged', () => {
    const { reason, message, nextStep } = explain(new CmkError('KeyDisabled', 'It is disabled.', 'Enable it.'));
    expect([reason, message, nextStep]).toEqual(['KeyDisabled', 'It is disabled.', 'Enable it.']);
  });
});
