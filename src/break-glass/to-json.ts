import type { Caller } from '../http/token-claims.ts';
import type { RevocationCall } from '../revocation/record-revocation.ts';

/** Who calls, and why, as it goes into the audit trail. */
export function callOf(
  { objectId, appId, kind, tokenId, name }: Caller,
  correlationId: string,
  { reason, ticket }: { readonly reason: string; readonly ticket?: string | undefined },
): RevocationCall {
  return { caller: { objectId, appId, kind, tokenId, name }, correlationId, why: reason, ticket };
}
