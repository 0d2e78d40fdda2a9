import type { JsonWebKey } from 'node:crypto';
import { dayOf } from '../time/duration.ts';
import { DAY_MS } from '../time/spans.ts';
import { CHAIN_FINDINGS, type ChainFinding } from './chain.ts';
import { HEADS_CONTAINER } from './container-name.ts';
import { parseFileName } from './file-name.ts';
import type { KeptHead } from './head-store-client.ts';
import type { AuditReceipt } from './record.ts';
import { isSignedBy, type SignedHead } from './signed-head.ts';

/** The heads that may be believed, and what is wrong with the others. */
export interface CheckedHeads {
  readonly heads: readonly AuditReceipt[];
  readonly findings: readonly ChainFinding[];
}

/** The heads that stand under their own day. Another day's would take the place of one, and a day to come that of all. */
export function placedHeads(
  kept: readonly KeptHead[],
  now: Date,
): { readonly heads: readonly SignedHead[]; readonly findings: readonly ChainFinding[] } {
  const tomorrow = dayOf(new Date(now.getTime() + DAY_MS));
  const isRight = ({ day, head }: KeptHead): boolean => head?.day === day && day <= tomorrow;
  return {
    heads: kept.flatMap((one) => (one.head && isRight(one) ? one.head : [])),
    findings: kept
      .filter((one) => !isRight(one))
      .map(({ day }) => ({
        reason: 'HeadMisplaced',
        file: `${HEADS_CONTAINER}/${day}.json`,
        message: CHAIN_FINDINGS.HeadMisplaced,
      })),
  };
}

/**
 * Looks which heads the key has signed. Without a key all are taken as they are, which proves as much as the place that
 * they were kept in.
 *
 * @param keyOf the public half of a version of the key; undefined: it is no version of the key that heads are signed with
 * @param from day in UTC; heads of records before it are left out
 */
export async function checkHeads(
  heads: readonly SignedHead[],
  trail: string,
  keyOf: ((version: string) => Promise<JsonWebKey | undefined>) | undefined,
  from = '',
): Promise<CheckedHeads> {
  const keys = new Map<string, Promise<JsonWebKey | undefined>>();
  const believed: AuditReceipt[] = [];
  const findings: ChainFinding[] = [];
  for (const head of heads) {
    if ((parseFileName(head.file)?.day ?? '') < from) continue;
    // Before it is put aside as another trail's: that is a field like any other.
    const reason = keyOf && (await wrongWith(head, keyOf, keys));
    if (reason === undefined) {
      if (head.trail === trail) believed.push(head);
    } else {
      const message = `${CHAIN_FINDINGS[reason]} It is the head of ${head.day}, record ${head.seq}.`;
      findings.push({ reason, file: head.file, message });
    }
  }
  return { heads: believed, findings };
}

async function wrongWith(
  head: SignedHead,
  keyOf: (version: string) => Promise<JsonWebKey | undefined>,
  keys: Map<string, Promise<JsonWebKey | undefined>>,
): Promise<'HeadUnsigned' | 'HeadForged' | undefined> {
  const { key, signature } = head;
  if (key === undefined || signature === undefined) return 'HeadUnsigned';
  const asked = keys.get(key) ?? keyOf(key);
  keys.set(key, asked);
  const jwk = await asked;
  return jwk && isSignedBy(head, jwk) ? undefined : 'HeadForged';
}
