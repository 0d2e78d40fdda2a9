import { describe, expect, it } from 'vitest';
import { parseRoute } from '../../local/host/http-route.ts';

describe('a route', () => {
  it.each([
    ['api/keys/{vault}/{key}', '/api/keys/kv/files-key', { vault: 'kv', key: 'files-key' }],
    ['api/keys/{vault}/{key}', '/API/KEYS/Kv/K', { vault: 'Kv', key: 'K' }],
    ['api/keys/{vault}/{key}', '/api/keys/kv/k/', { vault: 'kv', key: 'k' }],
    ['api/keys/{vault}/{key}', '/api/keys/kv', undefined],
    ['api/keys/{vault}/{key}', '/api/keys/kv/k/revoke', undefined],
    ['api/{a?}', '/api', {}],
    ['api/{a=1}', '/api', { a: '1' }],
    ['api/{*rest}', '/api/a/b%20c', { rest: 'a/b c' }],
    ['api/{*rest}', '/api', {}],
    ['api/{id:int}', '/api/12', { id: '12' }],
    ['api/{id:int}', '/api/x', undefined],
    ['api/{id:guid}', '/api/11111111-1111-1111-1111-111111111111', { id: '11111111-1111-1111-1111-111111111111' }],
    ['{ignored:maxlength(0)?}', '/', {}],
    ['{ignored:maxlength(0)?}', '/x', undefined],
    ['{a:maxlength(2)}', '/xy', { a: 'xy' }],
    ['api/{a}', '/api/%zz', undefined],
    ['api/{a}', '/api/x%2Fy', { a: 'x%2Fy' }],
    ['api/{a}', '/api/%C3%A4', { a: 'ä' }],
  ])('The route %s matches %s as %j', (template, path, params) => {
    expect(parseRoute(template).match(path)).toEqual(params);
  });

  it.each([
    ['a/{b', 'is not understood'],
    ['a/{b:regex(x)}', 'is not imitated'],
    ['a/{b:minlength}', 'is not imitated'],
  ])('The host rejects the route %s', (template, message) => {
    expect(() => parseRoute(template)).toThrow(message);
  });
});
