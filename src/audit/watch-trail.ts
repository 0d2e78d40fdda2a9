import { unlessMissing } from '../azure/failure.ts';
import type { AuditFiles } from './audit-files.ts';
import type { ChainFinding } from './chain.ts';
import { checkHeads } from './check-heads.ts';
import { parseFileName } from './file-name.ts';
import type { HeadSigner } from './head-signer-client.ts';
import type { HeadStore } from './head-store-client.ts';
import type { AuditReceipt } from './record.ts';
import { plainHead, type SignedHead } from './signed-head.ts';
import { verifyTrail } from './verify-trail.ts';

export interface WatchServices {
  /** Address of the container that the trail is in. */
  readonly trail: string;
  readonly files: AuditFiles;
  readonly heads: HeadStore;
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

/**
 * Checks the trail from where it ended at the look before, which is kept elsewhere. It reads what was written since, and
 * the rest of that day.
 *
 * @throws the SDK's error when the trail or its heads cannot be read
 */
export async function lookAtTrail({ files, heads, trail, signer }: WatchServices): Promise<TrailLook> {
  const before = await heads.newest();
  // The head of another trail says nothing about this one: the app has moved to other storage.
  const kept = before?.trail === trail ? before : undefined;
  // One without a signature is taken: the key may have been out of reach, or is new. `verify` names it.
  const checked =
    kept?.signature === undefined ? undefined : await checkHeads([kept], trail, signer && keyIfThere(signer));
  const forged = checked?.findings ?? [];
  const head = forged.length > 0 ? undefined : kept;
  const from = head && parseFileName(head.file)?.day;
  const { findings, last, records } = await verifyTrail(files, {
    ...(from === undefined ? {} : { from }),
    ...(head ? { heads: [head] } : {}),
  });
  return { findings: [...forged, ...findings], last, head: kept, records };
}

/** @throws the SDK's error, where Key Vault does not say that there is no such version */
function keyIfThere(signer: HeadSigner): HeadSigner['publicKey'] {
  return (version) => unlessMissing(() => signer.publicKey(version));
}

/**
 * Signs where the trail ends and keeps it elsewhere, in the place of the day's head before. Not while something is wrong
 * with the trail: then the head of the last right look stays, and each look tells what is wrong since.
 *
 * @returns the head; `unsigned` says why it carries no signature although there is a key
 * @throws the SDK's error when it cannot be kept
 */
export async function keepHead(
  { findings, last }: TrailLook,
  { heads, signer, trail, now }: WatchServices,
): Promise<{ readonly head: SignedHead; readonly unsigned: unknown } | undefined> {
  if (!last || findings.length > 0) return undefined;
  const plain = plainHead(trail, last, now());
  let unsigned: unknown;
  const head: SignedHead =
    (await signer?.sign(plain).catch((error: unknown) => {
      unsigned = error;
      return plain;
    })) ?? plain;
  await heads.keep(head);
  return { head, unsigned };
}
