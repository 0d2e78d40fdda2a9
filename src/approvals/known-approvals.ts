import { z } from 'zod';
import { KeptPart, type PartTaken } from '../azure/kept-part.ts';
import { type PartTelling, partOf, partView } from '../http/part.ts';
import { APPROVAL, type ApprovalRequest, asShown, isUnaltered } from './approval.ts';
import type { ApprovalServices } from './approvals.ts';
import { inApprovals } from './approved-once.ts';

type Ports = Pick<ApprovalServices, 'approvals' | 'now'>;

/** The requests about something, beside how it stands. */
export const APPROVALS_PART = partOf(z.array(APPROVAL)).describe(
  'The requests for approval about it that the caller may see, those that wait first; at most 50. `GET /approvals` has all.',
);
export type ApprovalsPart = z.output<typeof APPROVALS_PART>;

/** The requests of the keys that a caller may see, newest first. */
export async function listApprovals(
  mayRead: (request: ApprovalRequest) => boolean,
  { approvals, now }: Ports,
): Promise<readonly ApprovalRequest[]> {
  const requests = await inApprovals(() => approvals.list(now()));
  return requests
    .filter((request) => isUnaltered(request) && mayRead(request))
    .map((request) => asShown(request, now()));
}

/** Requests that are told of a key, an account, or all of them. */
const MOST_TOLD = 50;
/** So long an answer that is ready waits for them. Milliseconds. */
const WAIT_MS = 200;

type Requests = readonly ApprovalRequest[];

/**
 * The requests for approval beside what they are about. They are in a storage of their own, which nobody waits for who looks
 * at what is revoked: one for each instance, which reads it for all who ask at the same time.
 */
export class KnownApprovals {
  readonly #kept = new KeptPart<Requests>(0);
  #writes = 0;

  /** All of them, whoever asks. Never throws. */
  take(ports: Ports, waitMs: number): Promise<PartTaken<Requests>> {
    return this.#begin(ports)(waitMs);
  }

  #begin(ports: Ports): (waitMs: number) => Promise<PartTaken<Requests>> {
    // Whoever has just asked for approval or given it sees that: a reading that began before may be without it.
    if (this.#writes !== ports.approvals.writes) this.#kept.change();
    this.#writes = ports.approvals.writes;
    return this.#kept.begin(() => listApprovals(() => true, ports), ports.now);
  }

  /**
   * An answer with the requests that it is about: those that wait first.
   *
   * @param isTold whether a request is about it, and the caller may see it
   */
  async beside<T>(
    answering: Promise<T>,
    isTold: (request: ApprovalRequest) => boolean,
    ports: Ports,
    telling: PartTelling,
  ): Promise<{ readonly answer: T; readonly approvals: ApprovalsPart }> {
    const taking = this.#begin(ports);
    const answer = await answering;
    const taken = await taking(WAIT_MS);
    const approvals = partView(taken, (all) => waitingFirst(all.filter(isTold)).slice(0, MOST_TOLD), telling);
    return { answer, approvals };
  }
}

function waitingFirst(requests: readonly ApprovalRequest[]): ApprovalRequest[] {
  const isWaiting = ({ state }: ApprovalRequest): boolean => state === 'waiting';
  return [...requests.filter(isWaiting), ...requests.filter((one) => !isWaiting(one))];
}
