/** A request to the local Azure. */
export interface LoggedRequest {
  /** Starts at 1; `GET /requests?since=N` returns the later ones. */
  readonly seq: number;
  /** ISO 8601, on the local Azure's clock. */
  readonly time: string;
  readonly host: string;
  readonly method: string;
  /** Path and query; empty if the proxy refused the host. */
  readonly path: string;
  /** 0: the connection was cut, or the request got no answer. */
  readonly status: number;
  /** Real milliseconds. */
  readonly durationMs: number;
  readonly clientRequestId?: string;
  /** `login` of the caller's sign-in, or client id in the bearer token. */
  readonly caller?: string;
  /** The proxy refused the host, which is none of Azure's. */
  readonly refused?: true;
}

/** The latest requests, oldest first. */
export class RequestLog {
  #next = 1;
  #entries: LoggedRequest[] = [];
  readonly #capacity: number;

  /** @param capacity minimum number of entries to keep; at most twice as many are in memory */
  constructor(capacity = 200_000) {
    this.#capacity = capacity;
  }

  add(entry: Omit<LoggedRequest, 'seq'>): void {
    this.#entries.push({ seq: this.#next, ...entry });
    this.#next += 1;
    if (this.#entries.length > 2 * this.#capacity) this.#entries = this.#entries.slice(-this.#capacity);
  }

  /** The entries after `since`. */
  since(since = 0): LoggedRequest[] {
    const first = this.#entries[0]?.seq ?? this.#next;
    return this.#entries.slice(Math.max(0, since + 1 - first));
  }

  /** `seq` of the newest entry; 0 if there is none. */
  get last(): number {
    return this.#next - 1;
  }
}
