import { describe, expect, it } from 'vitest';
import { describeFailure } from '../../src/azure/failure.ts';
import { requireList, seen } from '../../src/effect/classify-answer.ts';
import type { DataService } from '../../src/effect/effect.ts';

const answer = (statusCode: number, code: string, service: DataService = 'file') =>
  seen(describeFailure({ name: 'RestError', statusCode, code, message: 'as Azure says' }), service);

describe('what a service shows', () => {
  it('is open when the listing is served', () => {
    expect(seen(undefined, 'file')).toEqual({ state: 'open' });
  });

  it.each(['KeyVaultEncryptionKeyNotFound', 'KeyVaultVaultNotFound', 'KeyVaultAccessTokenCannotBeAcquired'])(
    'is blocked on 403 %s',
    (code) => {
      expect(answer(403, code)).toEqual({ state: 'blocked', why: code });
    },
  );

  it.each([
    [403, 'AuthorizationPermissionMismatch', /Storage File Data Privileged Reader/],
    [403, 'AuthorizationFailure', /network rules/],
    [404, 'ResourceNotFound', /404 ResourceNotFound: as Azure says/],
    [500, 'KeyVaultEncryptionKeyNotFound', /500/],
    [503, 'ServerBusy', /503 ServerBusy/],
    [429, 'TooManyRequests', /429/],
  ])('is not known on %i %s, and says why', (status, code, why) => {
    expect(answer(status, code)).toEqual({ state: 'unknown', why: expect.stringMatching(why) });
  });

  it.each([
    ['ShareNotFound', 'file', 'share'],
    ['ShareBeingDeleted', 'file', 'share'],
    ['ContainerNotFound', 'blob', 'container'],
    ['ContainerBeingDeleted', 'blob', 'container'],
  ] as const)('is not known on 404 %s, and another one is wanted', (code, service, what) => {
    const why = `${code}: the ${what} does not exist any more; the next probe searches for another.`;
    expect(answer(404, code, service)).toEqual({ state: 'unknown', gone: true, why });
  });

  it('names the role that lists blobs where it is lacking', () => {
    expect(answer(403, 'AuthorizationPermissionMismatch', 'blob').why).toContain('blob lister');
  });

  it('is not known when no answer comes', () => {
    expect(seen(describeFailure({ name: 'RestError', code: 'ENOTFOUND', message: 'getaddrinfo' }), 'file')).toEqual({
      state: 'unknown',
      why: 'ENOTFOUND: getaddrinfo',
    });
  });

  /** What a list that says 200 and has this in it shows. */
  function served(bodyAsText: string | null) {
    try {
      requireList({ status: 200, bodyAsText });
      return seen(undefined, 'file');
    } catch (error) {
      return seen(describeFailure(error), 'file');
    }
  }

  it('is what an answer of 200 has in it, not that it says 200', () => {
    expect(served('<?xml version="1.0"?><EnumerationResults ShareName="s"/>')).toEqual({ state: 'open' });
    expect(served('<Error><Code>KeyVaultEncryptionKeyNotFound</Code></Error>')).toMatchObject({ state: 'blocked' });
    for (const nothing of ['<html>Sign in here</html>', '', null]) {
      expect(served(nothing)).toEqual({ state: 'unknown', why: expect.stringContaining('NotAList') });
    }
  });

  it('is not asked of the list that a refusal does not have', () => {
    expect(() => requireList({ status: 403, bodyAsText: '<Error/>' })).not.toThrow();
  });
});
