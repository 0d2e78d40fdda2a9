import type { Lease } from '../work/lease-client.ts';
import type { FleetServices } from './worker-ports.ts';

/** Until when a pass starts calls, and when it aborts them. */
export class PassTime {
  readonly until: Date;
  readonly #lease: Pick<Lease, 'held'>;
  readonly #ports: Pick<FleetServices, 'now' | 'writesUntil'>;
  readonly #reads = new AbortController();
  readonly #writes = new AbortController();
  /** An error of the app's own storage, after which the pass starts no more calls. */
  #failure: { readonly error: unknown } | undefined;

  constructor(until: Date, lease: Pick<Lease, 'held'>, ports: Pick<FleetServices, 'now' | 'writesUntil'>) {
    this.until = until;
    this.#lease = lease;
    this.#ports = ports;
  }

  /** Aborted when the time for reads is over. */
  get reads(): AbortSignal {
    return this.#reads.signal;
  }

  /** Aborted when the time for writes is over. */
  get writes(): AbortSignal {
    return this.#writes.signal;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Stops the pass after an error of the app's own storage. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /** Throws the first error with which the pass failed. */
  throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Returns whether the pass starts no more calls: the lease is lost, the time is over, or the app's storage fails. */
  isStopping(): boolean {
    return this.hasFailed || !this.#lease.held() || this.#ports.now() >= this.until;
  }

  /** Aborts calls at their deadline: a slow region must not delay the next pass, which serves the other regions. */
  endCalls(): void {
    const { now, writesUntil } = this.#ports;

    if (this.isStopping()) this.#reads.abort();
    if (writesUntil && now() >= writesUntil) this.#writes.abort();
  }
}
