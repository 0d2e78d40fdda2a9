import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseRoute } from '../../local/host/http-route.ts';
import { ROUTES } from '../../src/api/routes.ts';

const host = JSON.parse(readFileSync(join(import.meta.dirname, '../../host.json'), 'utf8'));

describe('the routes of the functions', () => {
  it('The routes carry api/ themselves, since the host adds no prefix', () => {
    expect(host.extensions.http.routePrefix).toBe('');
  });

  it('No route shadows another: of several that match, the host takes the first by name', () => {
    const byName = ROUTES.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    for (const { id, method, path } of ROUTES) {
      const asked = path.replaceAll(/\{\w+\}/g, 'anything');
      const first = byName.find((route) => route.method === method && parseRoute(route.path).match(asked));
      expect(first?.id).toBe(id);
    }
  });

  it('The host rejects no call before the app does: the host does not know callers, and a revocation may be among the calls', () => {
    expect(host.extensions.http).toMatchObject({
      maxOutstandingRequests: -1,
      maxConcurrentRequests: -1,
      dynamicThrottlesEnabled: false,
    });
  });
});
