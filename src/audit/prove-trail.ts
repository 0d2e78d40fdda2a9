import { describe, describeFailure } from '../azure/failure.ts';
import { type PartTaken, ReadCache } from '../azure/read-cache.ts';
import type { AuditReceipt } from './record.ts';
import type { AuditVerification } from './trail-view.ts';
import { type AuditWatch, type TrailReport, verifySince } from './verify-trail.ts';

/** Time to live of a proof, and how long a list of records waits for the proof beside it. Milliseconds. */
const TTL_MS = 30_000;
const WAIT_MS = 500;
const MOST_FINDINGS = 100;

type TrailProved = TrailReport & { readonly end: AuditReceipt | undefined };

/** One for each instance: callers share one reading of the trail. */
export class TrailProof {
  readonly #proofs = new ReadCache<TrailProved>(TTL_MS);

  /** What the drift check would find wrong with the trail now. Never throws. */
  async take(services: AuditWatch, waitMs = WAIT_MS): Promise<PartTaken<AuditVerification>> {
    const { now } = services;
    const taken = await this.#proofs.take('', () => prove(services), waitMs, now);
    if ('error' in taken) {
      const detail = describe(describeFailure(taken.error));
      const checkedOn = now().toISOString();
      return { value: { state: 'unknown', checkedOn, detail, records: 0, findings: [] }, readOn: now(), ageMs: 0 };
    }
    return 'value' in taken ? { ...taken, value: proofOf(taken.value, taken.readOn) } : taken;
  }
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
