import { Hono } from 'hono';
import { requireFileCaller, requireFileRole } from './file-service/authorization.ts';
import { FileServiceError, keyRefusal } from './file-service/errors.ts';
import { keyTrouble } from './file-service/key-access.ts';
import { findOperation } from './file-service/operations.ts';
import { findAccount, refusal, reply, requireAccount } from './file-service/reply.ts';
import { logStorageUse } from './log-analytics/vault-log.ts';
import type { Service, ServiceEnv } from './service.ts';
import type { World } from './world.ts';

/** False if the host does not resolve in Azure, because no account has that name. */
export function fileHostExists(world: World, host: string): boolean {
  return /^[a-z0-9]{3,24}\.file\.core\.windows\.net(:\d+)?$/i.test(host) && findAccount(world, host) !== undefined;
}

/**
 * The file service of every storage account, for callers with an Entra ID token: it lists shares and directories, and
 * reads and writes small files. An account whose key cannot be used refuses access to its data; the list of shares and
 * a share's properties still work.
 */
export function createFileService(world: World): Service {
  const app = new Hono<ServiceEnv>();

  app.all('*', async (c) => {
    const url = new URL(c.req.url);
    try {
      const account = requireAccount(world, url.host);
      const caller = requireFileCaller(world, account, c.get('caller'), {
        authorization: c.req.header('authorization'),
        intent: c.req.header('x-ms-file-request-intent'),
      });
      const [shareName, ...rest] = pathParts(url);
      const path = rest.join('/');
      const operation = findOperation(c.req.method, url, shareName, path);

      requireFileRole(world, account, caller, shareName, operation.access);

      if (operation.touchesData) {
        const trouble = keyTrouble(world, account);

        logStorageUse(
          world,
          account,
          'KeyUnwrap',
          account.encryption.keyvaultproperties?.currentVersionedKeyIdentifier,
        );
        if (trouble) throw keyRefusal(trouble);
      }

      const share = shareName ? account.fileShares.get(shareName) : undefined;
      if (shareName && !share) {
        throw new FileServiceError(404, 'ShareNotFound', 'The specified share does not exist.');
      }

      const body = Buffer.from(await c.req.arrayBuffer());
      const header = (name: string): string | undefined => c.req.header(name);
      const answer = operation.run({ account, share, path, url, body, header });

      return reply(answer.status, answer.body, answer.headers);
    } catch (error) {
      if (!(error instanceof FileServiceError)) throw error;
      return refusal(error, c.req.method);
    }
  });

  return app;
}

function pathParts(url: URL): string[] {
  try {
    return url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    throw new FileServiceError(400, 'InvalidUri', 'The requested URI does not represent any resource on the server.');
  }
}
