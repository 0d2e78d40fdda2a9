import { describe, expect, it } from 'vitest';
import { describeFailure } from '../../src/azure/failure.ts';
import { requireList } from '../../src/probe/data-services-client.ts';
import { classifyFailedList } from '../../src/probe/probe.ts';
import type { DataService } from '../../src/probe/service-words.ts';

const answer = (statusCode: number, code: string, service: DataService = 'file') =>
  classifyFailedList(describeFailure({ name: 'RestError', statusCode, code, message: 'as Azure says' }), service);

describe('the rejection of a list', () => {
  it.each(['KeyVaultEncryptionKeyNotFound', 'KeyVaultVaultNotFound', 'KeyVaultAccessTokenCannotBeAcquired'])(
    'A list that is rejected with 403 %s shows a block',
    (code) => {
      expect(answer(403, code)).toEqual({ state: 'blocked', why: code });
    },
  );

  it.each<[status: number, code: string, service: DataService, why: RegExp]>([
    [403, 'AuthorizationPermissionMismatch', 'file', /Storage File Data Privileged Reader/],
    [403, 'AuthorizationPermissionMismatch', 'blob', /blob lister/],
    [403, 'AuthorizationFailure', 'file', /network rules/],
    [404, 'ResourceNotFound', 'file', /404 ResourceNotFound: as Azure says/],
    [500, 'KeyVaultEncryptionKeyNotFound', 'file', /500/],
    [429, 'TooManyRequests', 'file', /429/],
  ])('A list that fails with %i %s in a %s service has no result, with the reason', (status, code, service, why) => {
    expect(answer(status, code, service)).toEqual({ state: 'unknown', why: expect.stringMatching(why) });
  });

  it.each([
    ['ShareNotFound', 'file', 'share'],
    ['ShareBeingDeleted', 'file', 'share'],
    ['ContainerNotFound', 'blob', 'container'],
    ['ContainerBeingDeleted', 'blob', 'container'],
  ] as const)(
    'A list that fails with 404 %s makes the probe search for another share or container',
    (code, service, what) => {
      const why = `${code}: the ${what} does not exist any more; the next probe searches for another.`;
      expect(answer(404, code, service)).toEqual({ state: 'unknown', unlisted: 'gone', why });
    },
  );

  it('The probe recognizes a rejection in an answer of 200', () => {
    const served = (status: number, bodyAsText: string | null) => () => requireList({ status, bodyAsText });
    expect(served(200, '<?xml version="1.0"?><EnumerationResults ShareName="s"/>')).not.toThrow();
    expect(served(403, '<Error/>')).not.toThrow();
    const blocked = '<Error><Code>KeyVaultEncryptionKeyNotFound</Code></Error>';
    expect(served(200, blocked)).toThrow(expect.objectContaining({ code: 'KeyVaultEncryptionKeyNotFound' }));
    for (const nothing of ['<html>Sign in here</html>', '', null]) {
      expect(served(200, nothing)).toThrow(expect.objectContaining({ code: 'NotAList' }));
    }
  });
});
