import { Hono } from 'hono';
import { FileServiceError } from './file-service/errors.ts';
import { requireAccount } from './file-service/reply.ts';
import { asObject, asString } from './json.ts';
import type { Service, ServiceEnv } from './service.ts';
import { requireRight, requireServiceKey } from './storage/service-key.ts';
import type { World } from './world.ts';

/** The part of the table service that customer-managed keys affect: create a table, insert an entity, list all. */
export function createTableService(world: World): Service {
  const app = new Hono<ServiceEnv>();
  app.all('*', async (c) => {
    const { method } = c.req;
    const url = new URL(c.req.url);
    try {
      const account = requireAccount(world, url.host);
      const [, name = ''] = /^\/(\w+)(?:\(\))?$/.exec(url.pathname) ?? [];
      if (name === '' || (method !== 'GET' && method !== 'POST')) {
        throw new FileServiceError(
          400,
          'InvalidUri',
          'The local table service makes tables, inserts and lists entities.',
        );
      }

      const caller = c.get('caller');
      const body = method === 'POST' ? (asObject(await c.req.json()) ?? {}) : {};

      if (name === 'Tables' && method === 'POST') {
        requireRight(world, account, caller, 'tableServices/tables/write', 'action');

        const made = asString(body.TableName) ?? '';
        if (!account.tables.has(made)) account.tables.set(made, []);
        return answer(201, { TableName: made });
      }

      requireRight(world, account, caller, `tableServices/tables/entities/${method === 'GET' ? 'read' : 'write'}`);

      const entities = account.tables.get(name);
      if (!entities) throw new FileServiceError(404, 'TableNotFound', 'The table specified does not exist.');

      requireServiceKey(world, account, 'table');

      if (method === 'GET') return answer(200, { value: entities });

      entities.push(body);

      return answer(201, body);
    } catch (error) {
      if (!(error instanceof FileServiceError)) throw error;

      const { status, code, message, headers } = error;
      const detail = { 'odata.error': { code, message: { lang: 'en-US', value: message } } };

      return answer(status, detail, { 'x-ms-error-code': code, ...headers });
    }
  });

  return app;
}

function answer(status: number, body: object, headers: Record<string, string> = {}): Response {
  return Response.json(body, {
    status,
    headers: {
      'content-type': 'application/json;odata=minimalmetadata',
      'x-ms-version': '2019-02-02',
      'x-ms-request-id': crypto.randomUUID(),
      ...headers,
    },
  });
}
