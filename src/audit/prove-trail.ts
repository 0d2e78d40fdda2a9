import { describe, describeFailure } from '../azure/failure.ts';
import { type PartTaken, ReadCache } from '../azure/read-cache.ts';
import { REASONS } from '../reasons.ts';
import type { AuditReceipt } from './record.ts';
import type { AuditVerification } from './trail-view.ts';
import { type AuditWatch, type TrailReport, verifySince } from './verify-trail.ts';

/** A proof is believed for so long, and a call waits for one so long. Milliseconds. */
const BELIEVED_MS = 30_000;
const WAIT_MS = 20_000;
const MOST_FINDINGS = 100;

/** A list of records waits no longer for the proof that is shown beside it. Milliseconds. */
const BESIDE_WAIT_MS = 500;

type TrailProved = TrailReport & { readonly end: AuditReceipt | undefined };

/** One for each instance: however many ask, the trail is read once in a while. */
export class TrailProof {
  readonly #proofs = new ReadCache<TrailProved>(BELIEVED_MS);

  /** What the drift check would find wrong with the trail now. Never throws. */
  async read(services: AuditWatch): Promise<AuditVerification> {
    const taken = await this.#take(services, WAIT_MS);
    return 'value' in taken ? taken.value : unknown(services.now(), REASONS.TimeUp);
  }

  /** What was found last, for who looks at the records: they do not wait for it. */
  beside(services: AuditWatch): Promise<PartTaken<AuditVerification>> {
    return this.#take(services, BESIDE_WAIT_MS);
  }

  async #take(
    services: AuditWatch,
    waitMs: number,
  ): Promise<Exclude<PartTaken<AuditVerification>, { error: unknown }>> {
    const { now } = services;
    const taken = await this.#proofs.take('', () => prove(services), waitMs, now);
    if ('error' in taken)
      return { value: unknown(now(), describe(describeFailure(taken.error))), readOn: now(), ageMs: 0 };
    return 'value' in taken ? { ...taken, value: proofOf(taken.value, taken.readOn) } : taken;
  }
}

function unknown(checkedOn: Date, detail: string): AuditVerification {
  return { state: 'unknown', checkedOn: checkedOn.toISOString(), detail, records: 0, findings: [] };
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
