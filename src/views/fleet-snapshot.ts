import type { DriftReport } from '../drift/report.ts';
import { type JudgedAccount, judgeFleet } from './fleet.ts';
import { type FleetPorts, readFleet } from './read-fleet.ts';

/** Calls at the same time go by one reading, and so do the pages of a list, for so long after it. Milliseconds. */
const KEPT_MS = 15_000;

/** How the fleet stood at one moment. */
export interface FleetSnapshot {
  readonly readOn: Date;
  readonly accounts: readonly JudgedAccount[];
  readonly listings: ReadonlyMap<string, Date>;
  /** Subscriptions in sight that were never listed: their accounts are missing. */
  readonly unlisted: number;
  readonly report: Pick<DriftReport, 'id' | 'startedOn' | 'complete'> | undefined;
  readonly warnings: readonly string[];
}

/** The fleet as this instance read it last: reading five thousand accounts takes seconds, and a list has pages. */
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
    // What failed is asked anew by the next call; what was read is not kept in memory for nothing.
    reading.then(() => setTimeout(forget, KEPT_MS).unref(), forget);
    return reading;
  }
}

async function takeSnapshot(ports: FleetPorts): Promise<FleetSnapshot> {
  const reading = await readFleet(ports);
  const { readOn, listings, unlisted, report, warnings } = reading;
  return { readOn, accounts: await judgeFleet(reading, ports.settings), listings, unlisted, report, warnings };
}
