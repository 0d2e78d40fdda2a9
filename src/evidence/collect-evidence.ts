import type { AuditFiles } from '../audit/audit-client.ts';
import { CLOCKS_APART_MS } from '../audit/file-name.ts';
import type { AuditRecord } from '../audit/record.ts';
import { type TrailReport, verifyTrail } from '../audit/verify-trail.ts';
import { formatDay } from '../formats/duration.ts';
import { FactCollector } from './fact-collector.ts';
import type { KeyEvidence } from './key-evidence.ts';

/** A period; its end is exclusive. */
export interface Period {
  readonly since: Date;
  readonly until: Date;
}

/** What the audit trail proves over a period. */
export interface TrailEvidence extends Period {
  /** By key identifier, in lower case. */
  readonly keys: ReadonlyMap<string, KeyEvidence>;
  /** Records of the period. */
  readonly records: number;
  /** Records of the period that are no fact of a key: `<action> <reason>` with their number. */
  readonly others: ReadonlyMap<string, number>;
  /** Verification of the trail from the first day of the period to the end of the trail. */
  readonly trail: TrailReport;
}

/**
 * Reads and verifies the trail file by file, and collects what its intact records prove of each key. Memory grows with
 * the facts (versions and moves), not with the bytes of the trail.
 *
 * @throws the SDK's error when the app cannot read the trail, and the signal's reason
 */
export async function collectEvidence(
  files: AuditFiles,
  { since, until }: Period,
  signal?: AbortSignal,
): Promise<TrailEvidence> {
  let facts = new FactCollector();
  let others = new Map<string, number>();
  let records = 0;

  const start = (): void => {
    facts = new FactCollector();
    others = new Map();
    records = 0;
  };
  const add = (record: AuditRecord): void => {
    signal?.throwIfAborted();
    const ms = Date.parse(record.time);
    if (ms < since.getTime() || ms >= until.getTime()) return;

    records += 1;
    if (facts.collect(record)) return;

    const what = `${record.entry?.action} ${record.entry?.reason}`;
    others.set(what, (others.get(what) ?? 0) + 1);
  };

  // A writer's clock may be slow: the file of the day before may have records of the period.
  const from = formatDay(new Date(since.getTime() - CLOCKS_APART_MS));
  const trail = await verifyTrail(files, { from, onStart: start, onEntry: (_entry, record) => add(record) });

  return { since, until, keys: facts.toEvidence(), records, others, trail };
}
