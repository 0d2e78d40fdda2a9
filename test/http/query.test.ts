import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answerConditionally, createJsonResponse } from '../../src/http/answers.ts';
import { createWholeNumber, FLAG, parseCallQuery } from '../../src/http/query.ts';

const text = z.string().max(1_000).optional();
const QUERY = {
  key: { description: '', schema: text, many: true },
  after: { description: '', schema: text },
  top: { description: '', schema: createWholeNumber(z.int().max(10)) },
  dryRun: { description: '', schema: FLAG },
} as const;
const read = (query: string) => parseCallQuery(new URLSearchParams(query), QUERY);

describe('the query of a call', () => {
  it('The query of a call has the parameters of the call', () => {
    expect(read('key=a%2Fb&key=c&after=&top=7&dryRun=true')).toEqual({
      key: ['a/b', 'c'],
      after: '',
      top: 7,
      dryRun: true,
    });
    expect(read('dryRun=false')).toEqual({ key: [], after: undefined, top: undefined, dryRun: false });
  });

  it.each([
    'keys=a',
    'after=a&after=b',
    `key=${'x'.repeat(1_001)}`,
    Array(51).fill('key=a').join('&'),
    '__proto__=1',
    'constructor=1',
    'top=11',
    'top=1e1',
    'top=',
    'dryRun=yes',
    'dryRun',
    'dryrun=true',
    // What it asks for cannot be told, and must not turn into the real thing.
    'dryRun=false&dryRun=true',
    'dryRun=true&dryRun=true',
  ])('A call with the query %s is rejected', (query) => {
    expect(() => read(query)).toThrow(expect.objectContaining({ status: 400, reason: 'QueryInvalid' }));
  });
});

describe('an answer with an ETag', () => {
  const answer = (body: unknown, sent?: string, content = body) =>
    answerConditionally(
      new Headers(sent === undefined ? {} : { 'if-none-match': sent }),
      createJsonResponse(200, body),
      content,
    );
  const etagOf = ({ headers }: ReturnType<typeof answerConditionally>) =>
    (headers as Record<string, string>).etag ?? '';

  it('An answer with an ETag is sent in full if the caller has another one, and as 304 if the caller has the same', () => {
    const first = answer({ a: 1 });
    expect(first).toMatchObject({ status: 200, body: '{"a":1}', headers: { 'cache-control': 'no-store' } });

    for (const sent of [etagOf(first), `"x", ${etagOf(first)}`, '*']) {
      const again = answer({ a: 1 }, sent);
      expect(again.status).toBe(304);
      expect(again.body).toBeUndefined();
      expect(again.headers).not.toHaveProperty('content-type');
      expect(etagOf(again)).toBe(etagOf(first));
    }

    expect(answer({ a: 2 }, etagOf(first)).status).toBe(200);
  });

  it('An answer has the same ETag while only the time of the read differs', () => {
    expect(etagOf(answer({ a: 1, readOn: 1 }, undefined, { a: 1 }))).toBe(
      etagOf(answer({ a: 1, readOn: 2 }, undefined, { a: 1 })),
    );
  });
});
