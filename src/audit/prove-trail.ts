import { timeBoxed, untilAborted } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { KeptPart, type PartTaken } from '../azure/kept-part.ts';
import { Remembered } from '../azure/remembered.ts';
import { REASONS } from '../reasons.ts';
import type { AuditReceipt } from './record.ts';
import type { AuditVerification } from './trail-view.ts';
import { type AuditWatch, type TrailReport, verifySince } from './verify-trail.ts';

/** A proof is believed for so long, and a call waits for one so long. Milliseconds. */
const BELIEVED_MS = 30_000;
const WAIT_MS = 20_000;
const MOST_FINDINGS = 100;

/** What is shown beside something else is not proven again within so long, and waited for no longer than a moment. Milliseconds. */
const BESIDE_MS = 60_000;
const BESIDE_WAIT_MS = 500;

/** What was read, and from where on. */
type TrailProved = TrailReport & { readonly end: AuditReceipt | undefined };

/** One for each instance: however many ask, the trail is read once in a while. */
export class TrailProof {
  readonly #beside = new KeptPart<AuditVerification>(BESIDE_MS);
  readonly #looks = new Remembered<TrailProved>(BELIEVED_MS);

  /** What the drift check would find wrong with the trail now. Never throws. */
  async read(services: AuditWatch): Promise<AuditVerification> {
    const checkedOn = services.now().toISOString();
    const looking = this.#looks.read('trail', services.now, () => prove(services));
    try {
      const isDone = await timeBoxed((signal) => untilAborted(looking, signal), WAIT_MS);
      if (!isDone) return unknown(checkedOn, REASONS.TimeUp);
      const { value, readOn } = await looking;
      return proofOf(value, readOn);
    } catch (error) {
      return unknown(checkedOn, describe(describeFailure(error)));
    }
  }

  /** What was found last, for who looks at the records: they do not wait for it. */
  beside(services: AuditWatch): Promise<PartTaken<AuditVerification>> {
    return this.#beside.take(() => this.read(services), services.now, BESIDE_WAIT_MS);
  }
}

function unknown(checkedOn: string, detail: string): AuditVerification {
  return { state: 'unknown', checkedOn, detail, records: 0, findings: [] };
}

async function prove({ files, verifiedTo }: AuditWatch): Promise<TrailProved> {
  const end = await verifiedTo();
  return { ...(await verifySince(files, end)), end };
}

function proofOf({ findings, last, end, records }: TrailProved, readOn: Date): AuditVerification {
  return {
    state: findings.length > 0 ? 'broken' : last ? 'holds' : 'empty',
    checkedOn: readOn.toISOString(),
    ...(end ? { verifiedTo: end } : {}),
    ...(last ? { last } : {}),
    records,
    findings: findings.slice(0, MOST_FINDINGS).map((finding) => ({ ...finding })),
  };
}
