import type { StorageAccount, World } from '../world.ts';
import { FileServiceError } from './errors.ts';
import { element, xmlDocument } from './xml.ts';

/** An answer of a data service of Storage, with its common headers. */
export function reply(status: number, body?: string | Buffer | null, headers: Record<string, string> = {}): Response {
  return new Response(toResponseBody(body), {
    status,
    headers: {
      'x-ms-version': '2025-11-05',
      'x-ms-request-id': crypto.randomUUID(),
      'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
      etag: '"0x8DE000000000000"',
      ...headers,
    },
  });
}

function toResponseBody(body: string | Buffer | null | undefined): ConstructorParameters<typeof Response>[0] {
  if (typeof body === 'string') return body;
  return body ? new Uint8Array(body) : null;
}

/** @param method the answer to `HEAD` has no body */
export function refusal({ status, code, message, headers }: FileServiceError, method: string): Response {
  const detail = xmlDocument(element('Error', [element('Code', code), element('Message', message)]));
  return reply(status, method === 'HEAD' ? null : detail, {
    'content-type': 'application/xml',
    'x-ms-error-code': code,
    ...headers,
  });
}

/**
 * The storage account of a host.
 *
 * @throws {@link FileServiceError} 404
 */
export function requireAccount(world: World, host: string): StorageAccount {
  const account = findAccount(world, host);
  if (!account) throw new FileServiceError(404, 'ResourceNotFound', `There is no storage account at ${host}.`);
  return account;
}

/** The storage account of a host; undefined if there is none. */
export function findAccount(world: World, host: string): StorageAccount | undefined {
  return world.storageAccounts.get((host.split('.')[0] ?? '').toLowerCase());
}
