import { Hono } from 'hono';
import { requireBlobRole } from './blob-service/authorization.ts';
import { FileServiceError, keyRefusal } from './file-service/errors.ts';
import { keyTrouble, scopeKeyTrouble } from './file-service/key-access.ts';
import { refusal, reply, requireAccount } from './file-service/reply.ts';
import { element, xmlDocument } from './file-service/xml.ts';
import type { Service, ServiceEnv } from './service.ts';
import type { BlobContainer, StorageAccount, World } from './world.ts';

/**
 * The part of the blob service that customer-managed keys affect: put and get a whole block blob, list a container. An
 * account whose key cannot be used refuses put, get, and a list with metadata; it serves a list without (Azure Storage,
 * "Customer-managed keys for Azure Storage encryption"). With a disabled scope every read and write gets 403 (Azure
 * Storage, "Encryption scopes for Blob storage"), whose code is not documented.
 */
export function createBlobService(world: World): Service {
  const app = new Hono<ServiceEnv>();
  app.all('*', async (c) => {
    const url = new URL(c.req.url);
    try {
      const account = requireAccount(world, url.host);
      const [containerName = '', ...rest] = decodeURIComponent(url.pathname).split('/').filter(Boolean);
      const name = rest.join('/');
      const isList = name === '' && c.req.method === 'GET' && url.searchParams.get('comp') === 'list';
      if (name === '' && !isList) {
        throw new FileServiceError(400, 'InvalidQueryParameterValue', 'The local blob service only lists a container.');
      }

      const ofBlob = c.req.method === 'PUT' ? 'write' : 'read';
      const access = isList ? 'list' : ofBlob;

      requireBlobRole(world, account, c.get('caller'), containerName, access);

      const container = account.blobContainers.get(containerName);
      if (!container) throw new FileServiceError(404, 'ContainerNotFound', 'The specified container does not exist.');

      if (isList) {
        if (/metadata/i.test(url.searchParams.get('include') ?? '')) requireKey(world, account, undefined);
        return reply(200, listBlobs(account, container, url), { 'content-type': 'application/xml' });
      }

      if (access === 'write') {
        const scope = (c.req.header('x-ms-encryption-scope') ?? container.defaultEncryptionScope)?.toLowerCase();
        requireKey(world, account, scope);
        container.blobs.set(name, { content: Buffer.from(await c.req.arrayBuffer()), scope });

        return reply(201, null, inScope(scope));
      }

      const blob = container.blobs.get(name);
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

/** With a hierarchical namespace a list has the directories too. Their metadata distinguish them from blobs. */
function directoriesOf(names: Iterable<string>): string[] {
  const paths = [...names].flatMap((name) =>
    name
      .split('/')
      .slice(0, -1)
      .map((_, depth, parts) => parts.slice(0, depth + 1).join('/')),
  );
  return [...new Set(paths)];
}

function listBlobs(account: StorageAccount, { name, blobs }: BlobContainer, url: URL): string {
  const withMetadata = /metadata/i.test(url.searchParams.get('include') ?? '');
  const marker = url.searchParams.get('marker') ?? '';
  const size = Number(url.searchParams.get('maxresults') ?? 5000);
  const directories = account.properties.isHnsEnabled === true ? directoriesOf(blobs.keys()) : [];
  const names = [...blobs.keys(), ...directories].sort().filter((one) => one >= marker);
  const entries = names.slice(0, size).map((one) => {
    const { content, scope } = blobs.get(one) ?? {};
    const metadata =
      content === undefined && withMetadata ? [element('Metadata', [element('hdi_isfolder', 'true')])] : [];
    const properties = [
      element('Content-Length', String(content?.length ?? 0)),
      element('BlobType', 'BlockBlob'),
      ...(scope === undefined ? [] : [element('EncryptionScope', scope)]),
    ];
    return element('Blob', [element('Name', one), element('Properties', properties), ...metadata]);
  });

  const attributes = { ServiceEndpoint: `https://${account.name}.blob.core.windows.net/`, ContainerName: name };
  const content = [element('Blobs', entries), element('NextMarker', names[size] ?? '')];

  return xmlDocument(element('EnumerationResults', content, attributes));
}

function requireKey(world: World, account: StorageAccount, name: string | undefined): void {
  const scope = name === undefined ? undefined : account.encryptionScopes.get(name);
  if (name !== undefined && !scope) {
    throw new FileServiceError(404, 'EncryptionScopeNotFound', 'The specified encryption scope does not exist.');
  }
  if (scope?.state === 'Disabled') {
    throw new FileServiceError(403, 'EncryptionScopeDisabled', 'The encryption scope of the blob is disabled.');
  }
  const trouble = scope ? scopeKeyTrouble(world, account, scope) : keyTrouble(world, account);
  if (trouble) throw keyRefusal(trouble);
}

function inScope(scope: string | undefined): Record<string, string> {
  return scope === undefined ? {} : { 'x-ms-encryption-scope': scope };
}
