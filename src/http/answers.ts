import { createHash } from 'node:crypto';
import type { HttpResponseInit } from '@azure/functions';

/** Headers of a request, from the platform's `Headers` or from `@azure/functions`. */
export interface HeaderReader {
  get(name: string): string | null;
}

/** Builds a JSON answer that caches must not store: every answer of this API is about the current state. */
export function createJsonResponse(status: number, body: unknown): HttpResponseInit {
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
    body: JSON.stringify(body),
  };
}

/** Parses `If-None-Match` into tags without quotes and `W/`; `*` matches any. */
export function parseIfNoneMatch(headers: HeaderReader): readonly string[] {
  return (headers.get('if-none-match') ?? '').split(',').map((one) => one.trim().replace(/^(?:W\/)?"(.*)"$/, '$1'));
}

/**
 * Adds an ETag to the answer, or answers 304 if the caller has the current version. `Cache-Control: no-store` stays,
 * because only callers that send `If-None-Match` may cache the answer, and no proxy.
 *
 * @param content content of the ETag: the answer without its varying fields, such as the time of the read. So the ETag
 * is weak.
 */
export function answerConditionally(
  headers: HeaderReader,
  answer: HttpResponseInit,
  content: unknown,
): HttpResponseInit {
  const tag = createHash('sha256').update(JSON.stringify(content)).digest('base64url').slice(0, 27);
  const sent = { ...(answer.headers as Record<string, string>), etag: `W/"${tag}"` };
  const had = parseIfNoneMatch(headers);
  if (!had.includes(tag) && !had.includes('*')) return { ...answer, headers: sent };
  const { 'content-type': _, ...rest } = sent as Record<string, string>;
  return { status: 304, headers: rest };
}
