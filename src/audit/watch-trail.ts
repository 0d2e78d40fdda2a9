import { isDeepStrictEqual } from 'node:util';
import { unlessMissing } from '../azure/failure.ts';
import type { AuditFiles } from './audit-files.ts';
import type { ChainFinding } from './chain.ts';
import { type CheckedHeads, checkHeads, placedHeads } from './check-heads.ts';
import { parseFileName } from './file-name.ts';
import type { HeadSigner } from './head-signer-client.ts';
import type { HeadStore } from './head-store-client.ts';
import type { LastHead } from './last-head-client.ts';
import type { AuditReceipt } from './record.ts';
import { plainHead, type SignedHead } from './signed-head.ts';
import { verifyTrail } from './verify-trail.ts';

export interface WatchServices {
  /** Address of the container that the trail is in. */
  readonly trail: string;
  readonly files: AuditFiles;
  readonly heads: HeadStore;
  readonly last: LastHead;
  /** Undefined: there is no key to sign with. */
  readonly signer: HeadSigner | undefined;
  readonly now: () => Date;
}

/** What a look at the trail has shown. */
export interface TrailLook {
  /** What is wrong with it since the look before; nothing: it goes on from where it ended then. */
  readonly findings: readonly ChainFinding[];
  /** Where it ends now; undefined: there is no record. */
  readonly last: AuditReceipt | undefined;
  /** Where it ended then; undefined: this is the first look. */
  readonly head: SignedHead | undefined;
  /** Records that were read. */
  readonly records: number;
}

/** Heads that are looked through for one that is signed: the key may have been out of reach for some days. */
const MOST_HEADS = 31;

/**
 * Checks the trail from where it ended at the look before, which is kept elsewhere. It reads what was written since, and
 * the rest of that day.
 *
 * @throws the SDK's error when the trail or its heads cannot be read
 */
export async function lookAtTrail(services: WatchServices): Promise<TrailLook> {
  const { heads, findings: wrong, newest } = await headsToHold(services);
  const days = heads.map(({ file }) => parseFileName(file)?.day ?? '');
  const from = days.sort()[0];
  const { findings, last, records } = await verifyTrail(services.files, {
    ...(from === undefined ? {} : { from }),
    heads,
  });
  return { findings: [...wrong, ...findings], last, head: newest, records };
}

/**
 * What the trail is held to: the newest head, and if that one is not signed, the newest that is as well. One without a
 * signature is taken, since the key may have been out of reach or is new; but it does not take the place of one with it, or
 * whoever may write heads would have the app itself sign what they made of the trail.
 */
async function headsToHold({
  heads,
  last,
  trail,
  signer,
  now,
}: WatchServices): Promise<CheckedHeads & { readonly newest: SignedHead | undefined }> {
  const placed = placedHeads(await heads.newest(MOST_HEADS), now());
  const findings = [...placed.findings];
  const held: AuditReceipt[] = [];
  const hold = async (head: SignedHead): Promise<void> => {
    const keyOf = head.signature === undefined ? undefined : signer && keyIfThere(signer);
    const checked = await checkHeads([head], trail, keyOf);
    findings.push(...checked.findings);
    held.push(...checked.heads);
  };
  for (const head of placed.heads) {
    await hold(head);
    if (held.length > 0 && (!signer || head.signature !== undefined)) break;
  }
  // Where the table cannot be read, it cannot be written either, and that is told when this look is kept.
  const inTable = await last.read().catch(() => undefined);
  if (inTable && !placed.heads.some((head) => isDeepStrictEqual(head, inTable))) await hold(inTable);
  // The head of another trail says nothing about this one: the app has moved to other storage.
  const own = [...placed.heads, ...(inTable ? [inTable] : [])].filter((head) => head.trail === trail);
  return { heads: held, findings, newest: own.sort((a, b) => b.seq - a.seq)[0] };
}

/** @throws the SDK's error, where Key Vault does not say that there is no such version */
function keyIfThere(signer: HeadSigner): HeadSigner['publicKey'] {
  return (version) => unlessMissing(() => signer.publicKey(version));
}

/**
 * Signs where the trail ends and keeps it elsewhere, in the place of the day's head before. Not while something is wrong
 * with the trail: then the head of the last right look stays, and each look tells what is wrong since.
 *
 * @returns the head; `failure` says why it carries no signature although there is a key, or is not in the table
 * @throws the SDK's error when it cannot be kept
 */
export async function keepHead(
  { findings, last }: TrailLook,
  { heads, last: inTable, signer, trail, now }: WatchServices,
): Promise<{ readonly head: SignedHead; readonly failure: unknown } | undefined> {
  if (!last || findings.length > 0) return undefined;
  const plain = plainHead(trail, last, now());
  let failure: unknown;
  const head: SignedHead =
    (await signer?.sign(plain).catch((error: unknown) => {
      failure = error;
      return plain;
    })) ?? plain;
  await heads.keep(head);
  await inTable.keep(head).catch((error: unknown) => {
    failure ??= error;
  });
  return { head, failure };
}
