import { describe, describeFailure } from '../azure/failure.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { HOUR_MS } from '../time/spans.ts';
import type { ControlStore } from './control-client.ts';
import { type ControlState, isOrderedOn, lastReleased, NO_CONTROL, type Pause, standingPause } from './pause.ts';

/** What was read is believed for so long, and not read again. Milliseconds. */
export const BELIEVED_MS = 10_000;
/** While it cannot be read, what was read last holds for so long. Milliseconds. */
const HELD_MS = HOUR_MS;
/** After a failure it is asked for again no sooner than this, so that moves do not wait for it one by one. Milliseconds. */
const AGAIN_MS = 5_000;

/**
 * The orders of operators as this instance knows them. What moves accounts never hears of an error: what cannot be read must
 * not keep an account from its version for good, and what was ordered must not be forgotten for a short outage.
 */
export class StandingControl {
  readonly #store: Pick<ControlStore, 'read'>;
  readonly #now: () => Date;
  #state: ControlState = NO_CONTROL;
  #readMs = Number.NEGATIVE_INFINITY;
  #triedMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  /** Why it could not be read the last time: said once. */
  #failed: { readonly error: unknown } | undefined;

  constructor(store: Pick<ControlStore, 'read'>, now: () => Date) {
    this.#store = store;
    this.#now = now;
  }

  /** The pause that the key is under. */
  async pause(key: string, log: Log): Promise<Pause | undefined> {
    await this.refresh(log);
    return this.pauseNow(key);
  }

  /** The same as it was last read, without a wait: for what comes right before a write. */
  pauseNow(key: string): Pause | undefined {
    return standingPause(this.#state, key, this.#now());
  }

  isOrderedOn(key: string, rotation: { readonly version: string; readonly startedOn: Date }): boolean {
    return isOrderedOn(this.#state, key, rotation);
  }

  lastReleased(key: string): Date | undefined {
    return lastReleased(this.#state, key, this.#now());
  }

  get state(): ControlState {
    return this.#state;
  }

  /** Takes over what this instance has just written. */
  learn(state: ControlState): void {
    this.#state = state;
    this.#readMs = this.#now().getTime();
    this.#triedMs = this.#readMs;
  }

  /** Reads what may have changed; callers at the same time share one request. @param anew however lately it was read */
  async refresh(log: Log, anew = false): Promise<void> {
    const nowMs = this.#now().getTime();
    if (!anew && nowMs - this.#readMs < BELIEVED_MS) return;
    if (!anew && nowMs - this.#triedMs < AGAIN_MS) return;
    this.#reading ??= this.#read(log).finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  /**
   * The orders as they stand now, for whoever tells them: those read before hold, and may be over.
   *
   * @throws what the storage answered
   */
  async known(log: Log): Promise<ControlState> {
    await this.refresh(log, true);
    if (this.#failed) throw this.#failed.error;
    return this.#state;
  }

  async #read(log: Log): Promise<void> {
    const before = this.#readMs;
    try {
      const state = await this.#store.read();
      // What this instance has written meanwhile is newer.
      if (this.#readMs === before) this.learn(state);
      this.#failed = undefined;
    } catch (error) {
      const nowMs = this.#now().getTime();
      this.#triedMs = nowMs;
      if (nowMs - this.#readMs > HELD_MS) this.#state = NO_CONTROL;
      const isSaid = this.#failed !== undefined;
      this.#failed = { error };
      if (isSaid) return;
      const message = `${REASONS.PauseUnreadable} ${describe(describeFailure(error))}`;
      log({ level: 'warning', reason: 'PauseUnreadable', message });
    }
  }
}
