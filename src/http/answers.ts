import { createHash } from 'node:crypto';
import type { HttpResponseInit } from '@azure/functions';

/** What is asked of a request's headers: `Headers` of the platform and of `@azure/functions` both fit. */
export interface HeaderReader {
  get(name: string): string | null;
}

/** A JSON answer that no cache keeps: every answer of this API is about the state of this moment. */
export function jsonResponse(status: number, body: unknown): HttpResponseInit {
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

/** The caller's `If-None-Match` tags, without quotes and `W/`; `*` is any. */
export function tagsHad(headers: HeaderReader): readonly string[] {
  return (headers.get('if-none-match') ?? '').split(',').map((one) => one.trim().replace(/^(?:W\/)?"(.*)"$/, '$1'));
}

/**
 * The answer with an ETag, or 304 where the caller has it already. `Cache-Control: no-store` stays: callers that send
 * `If-None-Match` keep the answer themselves, and no proxy may.
 *
 * @param content what the ETag is of: the answer without what differs each time, such as when it was read. It is a weak one
 * for that.
 */
export function conditional(headers: HeaderReader, answer: HttpResponseInit, content: unknown): HttpResponseInit {
  const tag = createHash('sha256').update(JSON.stringify(content)).digest('base64url').slice(0, 27);
  const sent = { ...(answer.headers as Record<string, string>), etag: `W/"${tag}"` };
  const had = tagsHad(headers);
  if (!had.includes(tag) && !had.includes('*')) return { ...answer, headers: sent };
  const { 'content-type': _, ...rest } = sent as Record<string, string>;
  return { status: 304, headers: rest };
}
