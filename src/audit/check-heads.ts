import type { JsonWebKey } from 'node:crypto';
import { CHAIN_FINDINGS, type ChainFinding } from './chain.ts';
import { parseFileName } from './file-name.ts';
import type { AuditReceipt } from './record.ts';
import { isSignedBy, type SignedHead } from './signed-head.ts';

/** The heads that may be believed, and what is wrong with the others. */
export interface CheckedHeads {
  readonly heads: readonly AuditReceipt[];
  readonly findings: readonly ChainFinding[];
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
    if (head.trail !== trail || (parseFileName(head.file)?.day ?? '') < from) continue;
    const reason = keyOf && (await wrongWith(head, keyOf, keys));
    if (reason === undefined) believed.push(head);
    else {
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
