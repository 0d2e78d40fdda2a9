/** One request that the local Azure answered (or was ordered not to). */
export interface LoggedRequest {
  /** Counts up from 1; `GET /requests?since=N` gives those after N. */
  readonly seq: number;
  /** ISO 8601, on the local Azure's clock. */
  readonly time: string;
  readonly host: string;
  readonly method: string;
  /** Path and query; for a host that the proxy refused, empty. */
  readonly path: string;
  /** 0: the connection was cut or never answered. */
  readonly status: number;
  /** Real milliseconds. */
  readonly durationMs: number;
  readonly clientRequestId?: string;
  /** `login` sign-in or client id of the bearer token. */
  readonly caller?: string;
  /** The proxy refused the host: it is not one of Azure's names. */
  readonly refused?: true;
}

/** The last requests, oldest first. */
export class RequestLog {
  #next = 1;
  #entries: LoggedRequest[] = [];
  readonly #capacity: number;

  /** @param capacity how many are kept at least; memory holds at most twice that. */
  constructor(capacity = 200_000) {
    this.#capacity = capacity;
  }

  add(entry: Omit<LoggedRequest, 'seq'>): void {
    this.#entries.push({ seq: this.#next, ...entry });
    this.#next += 1;
    if (this.#entries.length > 2 * this.#capacity) this.#entries = this.#entries.slice(-this.#capacity);
  }

  /** Those with a greater `seq` than `since`. */
  since(since = 0): LoggedRequest[] {
    const first = this.#entries[0]?.seq ?? this.#next;
    return this.#entries.slice(Math.max(0, since + 1 - first));
  }

  /** `seq` of the newest entry; 0 when there is none. */
  get last(): number {
    return this.#next - 1;
  }
}
