import { describeError } from '../azure/failure.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import type { UnreadView } from './dependent.ts';

/** Tracks the parts of a read: pending parts and failed parts. */
export class PartTracker {
  readonly #signal: AbortSignal | undefined;
  readonly #underWay = new Set<{ readonly what: string }>();
  readonly #unread: UnreadView[] = [];

  /** @param signal once it aborts, unfinished parts count as late, regardless of their errors */
  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Reads a part. Records a failure instead of throwing. */
  async read(what: string, reason: Reason, run: () => Promise<void>): Promise<void> {
    const part = { what };
    this.#underWay.add(part);
    try {
      await run();
    } catch (error) {
      this.unread(what, reason, describeError(error));
    } finally {
      this.#underWay.delete(part);
    }
  }

  unread(what: string, reason: Reason, detail: string): void {
    this.#unread.push(this.#signal?.aborted ? late(what) : { what, reason, detail });
  }

  missing(): UnreadView[] {
    return [...this.#unread, ...[...this.#underWay].map(({ what }) => late(what))];
  }
}

function late(what: string): UnreadView {
  return { what, reason: 'TimeUp', detail: REASONS.TimeUp };
}
