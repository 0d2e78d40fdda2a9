import type { ApprovalRequest } from '../approvals/approval.ts';
import type { ApprovalStore } from '../approvals/approval-store-client.ts';
import { waitingApprovals } from '../break-glass/handle-approvals.ts';
import { newestReport } from '../drift/http/drift-api.ts';
import type { DriftReport } from '../drift/report.ts';
import { readSnapshot } from '../fleet/http/fleet-api.ts';
import type { FleetSnapshot, FleetSnapshots } from '../fleet/http/fleet-snapshot.ts';
import type { FleetPorts } from '../fleet/http/read-fleet.ts';
import type { ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import type { KeySummary, ListedVault } from '../overview/key-view.ts';
import type { KeyLister, ListKeysPorts } from '../overview/list-keys.ts';
import { readRotationPage } from '../rollout/http/rotation-api.ts';
import type { RotationSummaryAnswer } from '../rollout/http/schemas.ts';
import type { ListPorts } from '../rollout/list-rotations.ts';
import { type Pause, standingPauses } from '../rollout/pause.ts';
import { KeptPart, type PartTaken } from './kept-part.ts';

/** An answer waits so long for what is not known yet. Milliseconds. */
const WAIT_MS = 1_500;
/** What was read is not read again within so long: of much, and of what is one small read. Milliseconds. */
const LARGE_MS = 10_000;
const SMALL_MS = 5_000;
/** The fleet is kept by whoever reads it. Milliseconds. */
const KEPT_ELSEWHERE_MS = 1_000;
/** No page of keys is begun after so long. Milliseconds. */
const KEYS_MS = 60_000;

export type NowPorts = FleetPorts &
  ListKeysPorts &
  ListPorts & {
    readonly settings: { readonly vaults: ManagedVaults };
    readonly approvals: ApprovalStore;
  };

/** What is not as usual among the keys of all vaults. */
export interface UnusualKeys {
  /** Those that are revoked, that could not be read, or that have a rotation which is not done. */
  readonly keys: readonly KeySummary[];
  readonly vaults: readonly ListedVault[];
  /** False when there was no time for all. */
  readonly complete: boolean;
}

/** What the parts are made from: of the whole fleet, whoever asks. */
export interface NowReadings {
  readonly fleet: FleetSnapshot;
  readonly keys: UnusualKeys;
  readonly pauses: readonly Pause[];
  readonly rotations: readonly RotationSummaryAnswer[];
  readonly drift: DriftReport | undefined;
  readonly approvals: readonly ApprovalRequest[];
}

/** Takes one of the readings. */
export type TakeReading = <P extends keyof NowReadings>(part: P) => Promise<PartTaken<NowReadings[P]>>;

/** One for each instance: however many look, each part is read once in a while. */
export class NowBoard {
  readonly #snapshots: FleetSnapshots;
  readonly #lister: KeyLister;
  readonly #parts: { readonly [P in keyof NowReadings]: KeptPart<NowReadings[P]> } = {
    fleet: new KeptPart(KEPT_ELSEWHERE_MS),
    keys: new KeptPart(LARGE_MS),
    pauses: new KeptPart(SMALL_MS),
    rotations: new KeptPart(SMALL_MS),
    drift: new KeptPart(SMALL_MS),
    approvals: new KeptPart(SMALL_MS),
  };

  constructor(snapshots: FleetSnapshots, lister: KeyLister) {
    this.#snapshots = snapshots;
    this.#lister = lister;
  }

  /** @param ports of whoever is first count for all who share a reading */
  taker(ports: NowPorts, log: Log): TakeReading {
    const reads: { readonly [P in keyof NowReadings]: () => Promise<NowReadings[P]> } = {
      fleet: () => readSnapshot({ snapshots: this.#snapshots, nowMs: performance.now() }, ports),
      keys: () => readUnusualKeys(this.#lister, ports, log),
      pauses: async () => {
        await ports.control.refresh(log, true);
        return standingPauses(ports.control.state, ports.now());
      },
      rotations: () => readUnderWay(ports, log),
      drift: () => newestReport(ports),
      approvals: () => waitingApprovals(ports),
    };
    return (part) => this.#parts[part].take(reads[part], ports.now, WAIT_MS);
  }
}

async function readUnusualKeys(lister: KeyLister, ports: NowPorts, log: Log): Promise<UnusualKeys> {
  // It is there long before the vaults have answered.
  void ports.control.refresh(log);
  const endMs = performance.now() + KEYS_MS;
  const keys: KeySummary[] = [];
  let after: string | undefined;
  for (;;) {
    const all = { vaults: ports.settings.vaults.all, reaches: () => true, after };
    const { value, vaults, next } = await lister.list(all, ports);
    keys.push(...value.filter(isUnusual));
    const complete = next === undefined;
    if (complete || performance.now() > endMs) return { keys, vaults, complete };
    after = next;
  }
}

function isUnusual({ revocation, state, rotation }: KeySummary): boolean {
  return revocation !== undefined || state === 'unknown' || (rotation !== undefined && isRotationOpen(rotation));
}

async function readUnderWay(ports: NowPorts, log: Log): Promise<readonly RotationSummaryAnswer[]> {
  const underWay: RotationSummaryAnswer[] = [];
  let after: string | undefined;
  do {
    const { value, next } = await readRotationPage(after, ports, log);
    underWay.push(...value.filter(isRotationOpen));
    after = next;
  } while (after !== undefined);
  return underWay;
}

/** Whether a rotation is neither finished nor kept from going on by a revocation. */
export function isRotationOpen({ state }: Pick<RotationSummaryAnswer, 'state'>): boolean {
  return state !== 'finished' && state !== 'blocked';
}
