import { AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { RolloutDecision } from './decide-rollout.ts';
import type { RolloutNews, RolloutRow } from './rollout-row.ts';
import { CONTROL_TABLE } from './rollout-store-client.ts';

/** Appends a rollout's news to the audit trail, and logs it for the alerts. Never throws: the trail retries by itself. */
export async function recordRollout(
  {
    news,
    key,
    row,
    counts,
    versions,
  }: {
    readonly news: RolloutNews;
    readonly key: ManagedKey;
    readonly row: RolloutRow;
    readonly counts: RolloutDecision['counts'];
    readonly versions: readonly KeyVersion[];
  },
  audit: RecordAudit,
  log: Log,
): Promise<void> {
  const version = parseKeyIdentifier(row.target ?? '')?.version ?? '';
  const target = versions.find((listed) => listed.version === version);
  const startedOn = target && new Date(Math.max(target.createdOn.getTime(), target.notBefore?.getTime() ?? 0));
  const { progressOn, unwell } = row;
  const { moved, pending: waiting, failed, left } = counts;
  const about = {
    ...{ key: key.id, version, progressOn, moved, waiting, failed, left, stage: row.stage },
    ...(startedOn ? { startedOn: startedOn.toISOString() } : {}),
  };
  const why = unwell ? `These do not serve: ${unwell}.` : undefined;
  const numbers = `${moved} moved, ${waiting} waiting, ${failed} failed, ${left} left to Storage.`;
  const seconds = startedOn && { seconds: (Date.parse(progressOn) - startedOn.getTime()) / 1000 };
  log({
    level: news === 'RotationFinished' ? 'info' : 'error',
    reason: news,
    message: [REASONS[news], numbers, why].filter(Boolean).join(' '),
    ...about,
    ...(news === 'RotationFinished' ? seconds : {}),
  });
  const entry = {
    id: `rotation/${news}/${key.id}/${version}`,
    ...{ action: 'key.rotation', reason: news, resource: key.id },
    details: { ...about, ...(why ? { why } : {}), foundIn: CONTROL_TABLE },
  };
  await audit(entry, AUDIT_WAIT_MS);
}
