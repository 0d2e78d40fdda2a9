import { triedFor } from '../azure/deadline.ts';
import { type Measurement, NO_TELEMETRY, type SpanAttributes, type SpanPlace, type Telemetry } from './telemetry.ts';

/** Longest wait for telemetry to load, in milliseconds; then work runs without a span. */
const READY_MS = 2_000;
/** Time limit of a flush in milliseconds, because the host ends an instance soon after its notice. */
const FLUSH_MS = 3_000;

/** Loads the exporters at first use, so an instance that only answers calls never loads them. */
export class LazyTelemetry implements Telemetry {
  readonly #load: () => Promise<Telemetry>;
  readonly #failed: (error: unknown) => void;
  #loading: Promise<void> | undefined;
  #loaded: Telemetry = NO_TELEMETRY;

  /** @param failed receives a load error; work then runs without spans */
  constructor(load: () => Promise<Telemetry>, failed: (error: unknown) => void) {
    this.#load = load;
    this.#failed = failed;
  }

  ready(): Promise<void> {
    this.#loading ??= this.#begin();
    return triedFor(READY_MS, this.#loading);
  }

  async #begin(): Promise<void> {
    try {
      this.#loaded = await this.#load();
    } catch (error) {
      this.#failed(error);
    }
  }

  span<T>(name: string, place: SpanPlace, run: () => Promise<T>, cameTo?: (result: T) => SpanAttributes): Promise<T> {
    return this.#loaded.span(name, place, run, cameTo);
  }

  traceparent(): string | undefined {
    return this.#loaded.traceparent();
  }

  measure(measurement: Measurement): void {
    this.#loaded.measure(measurement);
  }

  flush(): Promise<void> {
    return triedFor(FLUSH_MS, this.#loaded.flush());
  }
}
