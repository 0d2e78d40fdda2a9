import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = ['{ignored:maxlength(0)?}', 'page/{file}'];

describe('the routes of the functions', () => {
  it('carry api/ themselves, since the host puts nothing before them; the page alone is at the root', () => {
    const host = JSON.parse(readFileSync(join(ROOT, 'host.json'), 'utf8'));
    expect(host.extensions.http.routePrefix).toBe('');
    const routes = globSync('src/functions/*.ts', { cwd: ROOT }).flatMap((file) =>
      [...readFileSync(join(ROOT, file), 'utf8').matchAll(/\broute: '([^']*)'/g)].map(([, route = '']) => route),
    );
    expect(routes.length).toBeGreaterThan(10);
    expect(routes.filter((route) => !route.startsWith('api/')).sort()).toEqual([...PAGE].sort());
  });

  it('refuse nobody before the app: whose calls are too many the host does not know, and a revocation may be among them', () => {
    const host = JSON.parse(readFileSync(join(ROOT, 'host.json'), 'utf8'));
    expect(host.extensions.http).toMatchObject({
      maxOutstandingRequests: -1,
      maxConcurrentRequests: -1,
      dynamicThrottlesEnabled: false,
    });
  });
});
