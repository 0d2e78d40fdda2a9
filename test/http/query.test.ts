import { describe, expect, it } from 'vitest';
import { conditional } from '../../src/http/etag.ts';
import { jsonResponse } from '../../src/http/json-response.ts';
import { queryOf } from '../../src/http/query.ts';

const NAMES = ['key', 'after'] as const;

describe('the query of a call', () => {
  it('is what the call takes, each once', () => {
    expect(queryOf(new URLSearchParams('key=a%2Fb&after='), NAMES)).toEqual({ key: 'a/b', after: '' });
    expect(queryOf(new URLSearchParams(''), NAMES)).toEqual({});
  });

  it.each(['keys=a', 'key=a&key=b', `key=${'x'.repeat(1_001)}`, '__proto__=1', 'constructor=1'])(
    'refuses %s',
    (query) => {
      expect(() => queryOf(new URLSearchParams(query), NAMES)).toThrow(
        expect.objectContaining({ status: 400, reason: 'QueryInvalid' }),
      );
    },
  );
});

describe('an answer with an ETag', () => {
  const answer = (body: unknown, sent?: string, content = body) =>
    conditional(new Headers(sent === undefined ? {} : { 'if-none-match': sent }), jsonResponse(200, body), content);
  const etagOf = ({ headers }: ReturnType<typeof conditional>) => (headers as Record<string, string>).etag ?? '';

  it('is sent whole to whoever has another one, and not at all to whoever has it', () => {
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

  it('has the same one while nothing but the time of reading differs', () => {
    expect(etagOf(answer({ a: 1, readOn: 1 }, undefined, { a: 1 }))).toBe(
      etagOf(answer({ a: 1, readOn: 2 }, undefined, { a: 1 })),
    );
  });
});
