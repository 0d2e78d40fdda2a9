import { describe, expect, it } from 'vitest';
import { describeFailure } from '../../src/azure/failure.ts';

/** An error as the SDKs throw it. */
function restError(statusCode: number, code: string, headers: Record<string, string> = {}): unknown {
  const get = (name: string): string | undefined => headers[name];
  return Object.assign(new Error('no'), {
    name: 'RestError',
    statusCode,
    code: undefined,
    details: { error: { code } },
    response: { headers: { get } },
  });
}

describe('the message of a failure', () => {
  it.each([
    ['first line\r\nsecond', 'first line'],
    ['Pagination failed with unexpected statusCode 403', ''],
    ['Unexpected status code: 404', ''],
  ])('The message of the failure %j is %j', (message, told) => {
    expect(describeFailure(Object.assign(new Error(message), { statusCode: 403 })).message).toBe(told);
  });
});

describe('describeFailure', () => {
  it.each([
    ['429', restError(429, 'TooManyRequests', { 'retry-after': '17' }), 'throttled', 17],
    ['429 for ever', restError(429, 'Throttled', { 'retry-after': 'Infinity' }), 'throttled', 3_600],
    ['429 with nonsense', restError(429, 'Throttled', { 'retry-after': 'soon' }), 'throttled', undefined],
    ['503 with a time', restError(503, 'ServerBusy', { 'retry-after': '5' }), 'throttled', 5],
    ['503 without', restError(503, 'ServerBusy'), 'unavailable', undefined],
    ['500', restError(500, 'GatewayAuthenticationFailed'), 'unavailable', undefined],
    ['404', restError(404, 'ResourceNotFound'), 'notFound', undefined],
    ['403', restError(403, 'AuthorizationFailed'), 'forbidden', undefined],
    ['401', restError(401, 'Unauthorized'), 'forbidden', undefined],
    ['409', restError(409, 'StorageAccountOperationInProgress'), 'conflict', undefined],
    ['400', restError(400, 'KeyVaultPolicyError'), 'refused', undefined],
    ['a connection that broke', Object.assign(new Error('x'), { code: 'ECONNRESET' }), 'unavailable', undefined],
    [
      'a name that does not resolve',
      Object.assign(new Error('x'), { name: 'RestError', code: 'ENOTFOUND' }),
      'unavailable',
      undefined,
    ],
    [
      'a token that is not to be had',
      Object.assign(new Error('x'), { name: 'CredentialUnavailableError' }),
      'unavailable',
      undefined,
    ],
    ['a request given up', Object.assign(new Error('x'), { name: 'AbortError' }), 'unavailable', undefined],
    ['a bug', new TypeError('x is not a function'), 'unexpected', undefined],
    ['text', 'oops', 'unexpected', undefined],
    ['nothing', undefined, 'unexpected', undefined],
  ])('describeFailure returns kind and Retry-After of %s', (_, error, kind, retryAfterSeconds) => {
    expect(describeFailure(error)).toMatchObject({ kind, retryAfterSeconds });
  });

  it("describeFailure takes Azure's own code from the answer", () => {
    expect(describeFailure(restError(400, 'KeyVaultPolicyError'))).toMatchObject({
      code: 'KeyVaultPolicyError',
      status: 400,
    });
  });
});
