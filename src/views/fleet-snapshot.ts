import type { DriftReport } from '../drift/report.ts';
import { type EvaluatedAccount, evaluateFleet } from './fleet.ts';
import { type FleetPorts, readFleet } from './read-fleet.ts';

/** Time to live: concurrent calls, and the pages of a list, share one reading. Milliseconds. */
const KEPT_MS = 15_000;

/** The evaluated fleet at one moment. */
export interface FleetSnapshot {
  readonly readOn: Date;
  readonly accounts: readonly EvaluatedAccount[];
  readonly listings: ReadonlyMap<string, Date>;
  /** Subscriptions in sight that were never listed: their accounts are missing. */
  readonly unlisted: number;
  readonly report: Pick<DriftReport, 'id' | 'startedOn' | 'complete'> | undefined;
  readonly warnings: readonly string[];
}

/** Single-flight cache of the fleet: reading five thousand accounts takes seconds. */
export class FleetSnapshots {
  #last: Promise<FleetSnapshot> | undefined;

  /** @throws what the index answers */
  get(ports: FleetPorts): Promise<FleetSnapshot> {
    if (this.#last) return this.#last;
    const reading = takeSnapshot(ports);
    this.#last = reading;
    const forget = (): void => {
      this.#last = undefined;
    };
    // A failure is not cached, and an expired snapshot does not stay in memory.
    reading.then(() => setTimeout(forget, KEPT_MS).unref(), forget);
    return reading;
  }
}

async function takeSnapshot(ports: FleetPorts): Promise<FleetSnapshot> {
  const reading = await readFleet(ports);
  const { readOn, listings, unlisted, report, warnings } = reading;
  return { readOn, accounts: await evaluateFleet(reading, ports.settings), listings, unlisted, report, warnings };
}
