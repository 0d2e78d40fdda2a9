import type { LocalAzure } from '../../local/azure/server.ts';
import type { LoggedRequest } from '../../local/azure/wire/request-log.ts';

/** Requests to Key Vault about one key since the mark, but for the one that only asks where to get a token. */
export function keyVaultCalls(azure: LocalAzure, key: string, since: number): LoggedRequest[] {
  return azure.requests
    .since(since)
    .filter(
      ({ host, path, status }) => host.endsWith('.vault.azure.net') && path.includes(`/${key}`) && status !== 401,
    );
}

/** `GET` or `PATCH` for each, in order of their being answered. */
export function methods(calls: readonly LoggedRequest[]): string {
  return calls.map(({ method }) => method).join(' ');
}
