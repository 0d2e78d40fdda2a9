import { Hono } from 'hono';
import { FileServiceError, keyRefusal } from './file-service/errors.ts';
import { keyTrouble, scopeKeyTrouble } from './file-service/key-access.ts';
import { findAccount, refusal, reply } from './file-service/reply.ts';
import type { Service, ServiceEnv } from './service.ts';
import type { StorageAccount, World } from './world.ts';

interface Blob {
  readonly content: Buffer;
  /** Lower case; undefined: it is under the key of the account. */
  readonly scope: string | undefined;
}

/**
 * The blob service as far as encryption scopes go: a block blob is put and got whole, by anybody with a token for Storage.
 * With a scope that is disabled every read and write is refused with 403 (Azure Storage, "Encryption scopes for Blob
 * storage"); the code of that refusal is not documented.
 */
export function createBlobService(world: World): Service {
  const blobs = new WeakMap<StorageAccount, Map<string, Blob>>();
  const app = new Hono<ServiceEnv>();
  app.all('*', async (c) => {
    const url = new URL(c.req.url);
    try {
      const account = findAccount(world, url.host);
      if (!account) throw new FileServiceError(404, 'ResourceNotFound', `There is no storage account at ${url.host}.`);
      if (!/^https:\/\/storage\.azure\.com\/?$/.test(c.get('caller')?.audience ?? ''))
        throw new FileServiceError(401, 'InvalidAuthenticationInfo', 'Server failed to authenticate the request.');
      const kept = blobs.get(account) ?? new Map<string, Blob>();
      blobs.set(account, kept);
      if (c.req.method === 'PUT') {
        const scope = c.req.header('x-ms-encryption-scope')?.toLowerCase();
        requireKey(world, account, scope);
        kept.set(url.pathname, { content: Buffer.from(await c.req.arrayBuffer()), scope });
        return reply(201, null, inScope(scope));
      }
      const blob = kept.get(url.pathname);
      if (!blob) throw new FileServiceError(404, 'BlobNotFound', 'The specified blob does not exist.');
      requireKey(world, account, blob.scope);
      return reply(200, blob.content, inScope(blob.scope));
    } catch (error) {
      if (!(error instanceof FileServiceError)) throw error;
      return refusal(error, c.req.method);
    }
  });
  return app;
}

function requireKey(world: World, account: StorageAccount, name: string | undefined): void {
  const scope = name === undefined ? undefined : account.encryptionScopes.get(name);
  if (name !== undefined && !scope)
    throw new FileServiceError(404, 'EncryptionScopeNotFound', 'The specified encryption scope does not exist.');
  if (scope?.state === 'Disabled')
    throw new FileServiceError(403, 'EncryptionScopeDisabled', 'The encryption scope of the blob is disabled.');
  const trouble = scope ? scopeKeyTrouble(world, account, scope) : keyTrouble(world, account);
  if (trouble) throw keyRefusal(trouble);
}

function inScope(scope: string | undefined): Record<string, string> {
  return scope === undefined ? {} : { 'x-ms-encryption-scope': scope };
}
