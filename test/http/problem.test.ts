import { describe, expect, it } from 'vitest';
import { CmkError, SettingsError } from '../../src/errors/errors.ts';
import { HttpProblem, type ProblemDetails, toProblemResponse } from '../../src/http/problem.ts';

const ID = '7b0c8c1e-0000-4000-8000-000000000001';

function answer(error: unknown) {
  const unexpected: unknown[] = [];
  const response = toProblemResponse(error, {
    correlationId: ID,
    onUnexpected: (cause) => unexpected.push(cause),
  });
  return { ...response, problem: JSON.parse(String(response.body)) as ProblemDetails, unexpected };
}

describe('an error answer', () => {
  it('An error answer of a refusal has every member of RFC 9457, the reason code and the next step', () => {
    const refusal = new HttpProblem('RoleMissing', {
      detail: 'This call requires the app role X.',
      nextStep: 'Get it.',
      headers: { 'www-authenticate': 'Bearer' },
      extensions: { missingRole: 'X', status: 200 },
    });

    const { status, headers, problem, unexpected } = answer(refusal);
    expect(status).toBe(403);

    expect(headers).toEqual({
      'www-authenticate': 'Bearer',
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });

    expect(problem).toEqual({
      type: 'urn:cmk-autopilot:problem:RoleMissing',
      title: 'The caller lacks an app role.',
      status: 403,
      detail: 'This call requires the app role X.',
      reason: 'RoleMissing',
      nextStep: 'Get it.',
      instance: `urn:cmk-autopilot:request:${ID}`,
      correlationId: ID,
      missingRole: 'X',
    });

    expect(unexpected).toEqual([]);
  });

  it.each([
    ['VaultNotManaged', 404],
    ['RevocationOpen', 409],
    ['Throttled', 503],
  ] as const)('An error answer of the app error %s has the status %i', (reason, status) => {
    const { problem } = answer(new CmkError(reason, 'What happened.', 'What to do.'));
    expect(problem).toMatchObject({ status, reason, detail: 'What happened.', nextStep: 'What to do.' });
    expect(problem.title).not.toBe('');
  });

  it('An error answer about wrong settings reveals none of them', () => {
    const error = new SettingsError(['CMK_VAULTS is wrong']);
    const { problem, unexpected } = answer(error);
    expect(problem).toMatchObject({ status: 500, reason: 'Unexpected' });
    expect(unexpected).toEqual([error]);
  });

  it.each([
    ['an Error', new TypeError("Cannot read properties of undefined (reading 'secret-host.internal')")],
    ['a string', 'secret-host.internal'],
    ['undefined', undefined],
    ['an error with a cause', new Error('outer secret-host', { cause: new Error('inner') })],
  ])('An error answer about an unexpected failure, %s, has the correlation id and nothing else', (_, error) => {
    const { body, problem, unexpected } = answer(error);
    expect(problem).toMatchObject({ status: 500, reason: 'Unexpected', correlationId: ID });
    expect(String(body)).not.toMatch(/secret-host|inner|TypeError|\\n +at /);
    expect(unexpected).toEqual([error]);
  });
});
