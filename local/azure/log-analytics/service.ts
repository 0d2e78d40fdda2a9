import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { asObject, asString } from '../json.ts';
import { isAllowed } from '../roles.ts';
import { azureError, type Service, type ServiceEnv } from '../service.ts';
import type { Workspace, World } from '../world.ts';
import { readUsageQuery, usageRows } from './usage-query.ts';

const TABLES = ['AzureDiagnostics', 'AZKVAuditLogs'] as const;
const COLUMNS = [
  ['Kind', 'string'],
  ['Version', 'string'],
  ['OperationName', 'string'],
  ['Since', 'datetime'],
  ['Until', 'datetime'],
  ['ObjectId', 'string'],
  ['AppId', 'string'],
] as const;

/**
 * The query endpoint of Log Analytics for one query: who used a key of a vault, and since when the log has that. It
 * refuses any other query, since it parses only that one.
 */
export function createLogAnalyticsService(world: World): Service {
  const app = new Hono<ServiceEnv>();
  app.post('/v1/workspaces/:workspace/query', async (c) => {
    const caller = c.get('caller');
    if (!caller || !/^https:\/\/api\.loganalytics\.io\/*$/.test(caller.audience)) {
      const message = 'Valid authentication was not provided';
      return c.json(failure('AuthorizationRequiredError', message), 401);
    }

    const workspace = world.workspaces.get((c.req.param('workspace') ?? '').toLowerCase());
    if (!workspace) {
      return c.json(failure('PathNotFoundError', 'The requested path does not exist'), 404);
    }

    const { objectId } = caller.principal;
    if (world.settings.enforceRoles && !mayQuery(world, objectId, workspace)) {
      const message = 'The provided credentials have insufficient access to perform the requested operation';
      return c.json(failure('InsufficientAccessError', message), 403);
    }

    const query = asString(asObject(await c.req.json().catch(() => undefined))?.query) ?? '';
    const asked = readUsageQuery(query);
    if (!asked) {
      const message = 'The local Log Analytics serves one query alone: who used a key of a vault. See local/README.md.';
      return c.json(failure('BadArgumentError', message), 400);
    }

    const rows = usageRows(world, workspace, asked);
    const columns = COLUMNS.map(([name, type]) => ({ name, type }));
    const cells = rows.map((row) => COLUMNS.map(([name]) => row[name]));

    return c.json({ tables: [{ name: 'PrimaryResult', columns, rows: cells }] });
  });

  app.all('*', (c) => c.json(failure('PathNotFoundError', 'The requested path does not exist'), 404));

  return app;
}

/** A query needs the right to query, and the right to read each table. */
function mayQuery(world: World, objectId: string, { id }: Workspace): boolean {
  const actions = ['read', ...TABLES.map((table) => `${table}/read`)];
  return actions.every((action) =>
    isAllowed(world, objectId, id, `Microsoft.OperationalInsights/workspaces/query/${action}`, 'action'),
  );
}

function failure(code: string, message: string): Record<string, unknown> {
  const { error } = azureError(code, message) as { error: Record<string, unknown> };
  return { error: { ...error, correlationId: randomUUID() } };
}
