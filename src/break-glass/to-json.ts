import type { BlastRadius } from '../dependents/blast-radius.ts';
import type { Caller } from '../http/token-claims.ts';
import type { RevocationCall } from '../revocation/record-revocation.ts';
import type { KeyStatusResponse, RevokeResponse } from './schemas.ts';

/** The blast radius as an answer has it: plain JSON, without the key that the answer names anyway. */
export function dependentsOf({ key: _, ...radius }: BlastRadius): RevokeResponse['dependents'] {
  return JSON.parse(JSON.stringify(radius));
}

/** Who calls, and why, as it goes into the audit trail. */
export function callOf(
  { objectId, appId, kind, tokenId, name }: Caller,
  correlationId: string,
  { reason, ticket }: { readonly reason: string; readonly ticket?: string | undefined },
): RevocationCall {
  return { caller: { objectId, appId, kind, tokenId, name }, correlationId, why: reason, ticket };
}

/** The status without what differs each time that it is read: when the services were asked just now, and who was first. */
export function statusContent(status: KeyStatusResponse): unknown {
  const effect = status.effect.map(({ checkedOn, since, ...shown }) =>
    since === checkedOn ? shown : { ...shown, since },
  );
  effect.sort((a, b) => (`${a.account} ${a.service}` < `${b.account} ${b.service}` ? -1 : 1));
  return { ...status, effect };
}
