import type { HttpResponseInit } from '@azure/functions';

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
