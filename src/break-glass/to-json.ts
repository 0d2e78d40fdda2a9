import { auditedCaller, type Caller } from '../http/token-claims.ts';
import type { RevocationCall } from '../revocation/record-revocation.ts';

/** Who calls, and why, as it goes into the audit trail. */
export function callOf(
  caller: Caller,
  correlationId: string,
  { reason, ticket }: { readonly reason: string; readonly ticket?: string | undefined },
): RevocationCall {
  return { caller: auditedCaller(caller), correlationId, why: reason, ticket };
}
