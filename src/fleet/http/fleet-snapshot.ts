import type { DriftReport } from '../../drift/report.ts';
import type { JudgedAccount } from './judge-fleet.ts';
import { judgeFleet } from './judge-fleet.ts';
import { type FleetPorts, readFleet } from './read-fleet.ts';

/** Pages of one list, and calls at the same time, go by one reading. Milliseconds. */
const KEPT_MS = 15_000;

/** How the fleet stood at one moment. */
export interface FleetSnapshot {
  readonly readOn: Date;
  readonly accounts: readonly JudgedAccount[];
  readonly listings: ReadonlyMap<string, Date>;
  readonly report: Pick<DriftReport, 'id' | 'startedOn' | 'complete'> | undefined;
  readonly warnings: readonly string[];
}

/** The fleet as this instance read it last: reading five thousand accounts takes seconds, and a list has pages. */
export class FleetSnapshots {
  #last: { readonly reading: Promise<FleetSnapshot>; readonly atMs: number } | undefined;

  /** @throws what the index answers */
  get(ports: FleetPorts, nowMs: number): Promise<FleetSnapshot> {
    if (this.#last && nowMs - this.#last.atMs < KEPT_MS) return this.#last.reading;
    const reading = takeSnapshot(ports);
    const taken = { reading, atMs: nowMs };
    this.#last = taken;
    const forget = (): void => {
      if (this.#last === taken) this.#last = undefined;
    };
    // What failed is asked anew by the next call; what was read is not kept in memory for nothing.
    reading.then(() => setTimeout(forget, KEPT_MS).unref(), forget);
    return reading;
  }
}

async function takeSnapshot(ports: FleetPorts): Promise<FleetSnapshot> {
  const reading = await readFleet(ports);
  const { readOn, listings, report, warnings } = reading;
  return { readOn, accounts: await judgeFleet(reading, ports.settings), listings, report, warnings };
}
