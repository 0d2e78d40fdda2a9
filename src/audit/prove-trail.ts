import { timeBoxed, untilAborted } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { KeptPart, type PartTaken } from '../azure/kept-part.ts';
import { Remembered } from '../azure/remembered.ts';
import { REASONS } from '../reasons.ts';
import type { SignedHead } from './signed-head.ts';
import type { AuditVerification } from './trail-view.ts';
import { lookAtTrail, type TrailLook, type WatchServices } from './watch-trail.ts';

/** A proof is believed for so long, and a call waits for one so long. Milliseconds. */
const BELIEVED_MS = 30_000;
const WAIT_MS = 20_000;
const MOST_FINDINGS = 100;

/** What is shown beside something else is not proven again within so long, and waited for no longer than a moment. Milliseconds. */
const BESIDE_MS = 60_000;
const BESIDE_WAIT_MS = 500;

/** One for each instance: however many ask, the trail is read once in a while. */
export class TrailProof {
  readonly #beside = new KeptPart<AuditVerification>(BESIDE_MS);
  readonly #looks = new Remembered<TrailLook>(BELIEVED_MS);

  /** What the drift check would find wrong with the trail now. Never throws. */
  async read(services: WatchServices): Promise<AuditVerification> {
    const checkedOn = services.now().toISOString();
    const looking = this.#looks.read(services.trail, services.now, () => lookAtTrail(services));
    try {
      const isDone = await timeBoxed((signal) => untilAborted(looking, signal), WAIT_MS);
      if (!isDone) return unknown(checkedOn, REASONS.TimeUp);
      const { value, readOn } = await looking;
      return proofOf(value, services, readOn);
    } catch (error) {
      return unknown(checkedOn, describe(describeFailure(error)));
    }
  }

  /** What was found last, for who looks at the records: they do not wait for it. */
  beside(services: WatchServices): Promise<PartTaken<AuditVerification>> {
    return this.#beside.take(() => this.read(services), services.now, BESIDE_WAIT_MS);
  }
}

function unknown(checkedOn: string, detail: string): AuditVerification {
  return { state: 'unknown', checkedOn, detail, records: 0, findings: [] };
}

function proofOf(
  { findings, last, head, records }: TrailLook,
  { signer }: Pick<WatchServices, 'signer'>,
  readOn: Date,
): AuditVerification {
  const isForged = findings.some(({ reason }) => reason === 'HeadForged');
  return {
    state: findings.length > 0 ? 'broken' : last ? 'holds' : 'empty',
    checkedOn: readOn.toISOString(),
    ...(head ? { head: headView(head, isForged, signer !== undefined) } : {}),
    ...(last ? { last } : {}),
    records,
    findings: findings.slice(0, MOST_FINDINGS).map((finding) => ({ ...finding })),
  };
}

function headView(
  { file, seq, hash, day, signedOn, key, signature }: SignedHead,
  isForged: boolean,
  isChecked: boolean,
): NonNullable<AuditVerification['head']> {
  const signed = isForged ? 'wrong' : isChecked ? 'valid' : 'unchecked';
  return {
    file,
    seq,
    hash,
    day,
    keptOn: signedOn,
    ...(key ? { key } : {}),
    signature: signature === undefined ? 'none' : signed,
  };
}
