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

/** How many times in a row requests had to wait for others: 1 when all were under way together. */
export function waves(calls: readonly LoggedRequest[]): number {
  // The log has the time of the answer.
  const spans = calls
    .map(({ time, durationMs }) => ({ from: Date.parse(time) - durationMs, to: Date.parse(time) }))
    .sort((a, b) => a.from - b.from);
  let count = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const { from, to } of spans) {
    if (from < until) continue;
    count += 1;
    until = to;
  }
  return count;
}
