import type { Limiter, Usage } from '../azure/limiter.ts';
import type { Lease } from '../work/lease-client.ts';
import { getKeyOfVersion } from './observe.ts';
import { type Announcement, formatState, hasTargets, type Targets } from './pass-state.ts';

export interface PassStart {
  readonly lease: Lease;
  /** Consecutive passes before this one that did not end. */
  readonly unclean: number;
  readonly usage: Usage;
  /** What dead workers announced, until the `verify` item is done. */
  readonly unverified: Announcement | undefined;
}

/** The state of a running pass in its lease, for the worker that takes over if this one dies. */
export class PassLease {
  readonly #start: PassStart;
  readonly #startedOn: Date;
  readonly #limiter: Pick<Limiter, 'usage'>;
  /** The announced version of each key, including those that the next announcement saves. */
  #targets: Targets = {};
  #wantedTargets: Targets = {};
  /** The last announcement: the pass saves one at a time. */
  #announcing: Promise<void> = Promise.resolve();

  constructor(start: PassStart, startedOn: Date, limiter: Pick<Limiter, 'usage'>) {
    this.#start = start;
    this.#startedOn = startedOn;
    this.#limiter = limiter;
  }

  isHeld(): boolean {
    return this.#start.lease.held();
  }

  /** Saves that a pass runs, before all its work, so that a worker that dies in a list counts, too. */
  begin(): Promise<void> {
    return this.#save(true, this.#targets);
  }

  /** Saves a target before its first PATCH, so that the next worker after a takeover can attribute the move. */
  announce(target: string): Promise<void> {
    const key = getKeyOfVersion(target);
    this.#wantedTargets = { ...this.#wantedTargets, [key]: target };

    const announce = async (): Promise<void> => {
      if (this.#targets[key] === target) return;

      // One write announces all targets that waited for the write before.
      const targets = this.#wantedTargets;
      await this.#save(true, targets);
      this.#targets = targets;
    };

    this.#announcing = this.#announcing.then(announce, announce);

    return this.#announcing;
  }

  /** Saves that the pass of a living worker failed: it does not count as a dead worker. Never throws. */
  async endFailed(): Promise<void> {
    await this.#save(false, this.#targets).catch(() => {});
  }

  /** Saves that the pass has written all its results. @param unverified what is still to be verified */
  async end(unverified: Announcement | undefined): Promise<void> {
    await this.#start.lease.save(formatState({ unverified, unclean: 0, usage: this.#limiter.usage() }));
  }

  async #save(isRunning: boolean, targets: Targets): Promise<void> {
    const { lease, unverified, unclean } = this.#start;
    const pass = { startedOn: this.#startedOn, targets };
    const state = { unverified, unclean: unclean + Number(isRunning), usage: this.#limiter.usage() };

    await lease.save(formatState(isRunning || hasTargets(pass) ? { ...state, pass } : state));
  }
}
