import { createHash } from 'node:crypto';
import type { HttpResponseInit } from '@azure/functions';
import type { HeaderReader } from './headers.ts';

/**
 * The answer with an ETag, or 304 where the caller has it already. `Cache-Control: no-store` stays: what was read is kept by
 * whoever asks again with `If-None-Match`, and by nobody on the way.
 *
 * @param content what the ETag is of: the answer without what differs each time, such as when it was read. It is a weak one
 * for that.
 */
export function conditional(headers: HeaderReader, answer: HttpResponseInit, content: unknown): HttpResponseInit {
  const etag = `W/"${createHash('sha256').update(JSON.stringify(content)).digest('base64url').slice(0, 27)}"`;
  const sent = { ...(answer.headers as Record<string, string>), etag };
  const has = (headers.get('if-none-match') ?? '').split(',').map((one) => one.trim());
  if (!has.includes(etag) && !has.includes('*')) return { ...answer, headers: sent };
  const { 'content-type': _, ...rest } = sent as Record<string, string>;
  return { status: 304, headers: rest };
}
