import { errorText } from '../azure/failure.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { Unread } from './dependent.ts';

/** The parts of something that is gathered: which are under way, and which could not be read. */
export class Parts {
  readonly #signal: AbortSignal | undefined;
  readonly #underWay = new Set<{ readonly what: string }>();
  readonly #unread: Unread[] = [];

  /** @param signal once it aborts, what is not read by then is missing because time is up, whatever the error says */
  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Reads a part. When it fails, that is noted and nothing is thrown. */
  async read(what: string, reason: Reason, run: () => Promise<void>): Promise<void> {
    const part = { what };
    this.#underWay.add(part);
    try {
      await run();
    } catch (error) {
      this.unread(what, reason, errorText(error));
    } finally {
      this.#underWay.delete(part);
    }
  }

  unread(what: string, reason: Reason, detail: string): void {
    this.#unread.push(this.#signal?.aborted ? late(what) : { what, reason, detail });
  }

  /** What could not be read so far, and what is still under way. */
  missing(): Unread[] {
    return [...this.#unread, ...[...this.#underWay].map(({ what }) => late(what))];
  }
}

function late(what: string): Unread {
  return { what, reason: 'TimeUp', detail: REASONS.TimeUp };
}
