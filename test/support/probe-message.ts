import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import type { ExpectedEffect } from '../../src/probe/effect.ts';
import { formatRevocation, RESTORED_TAG, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import type { Cause, ProbeWork } from '../../src/work/messages.ts';
import { REVOKER } from './keys.ts';

/** As a revocation or restore puts it into the queue. */
export function probeMessage(key: ManagedKey, cause: Cause): ProbeWork {
  return { kind: 'probe', key: key.id, cause };
}

/** A version in the local Azure. */
interface Marked {
  readonly version: string;
  tags: Record<string, string> | undefined;
  enabled: boolean;
  updated: number;
  enabledChangedMs: number;
}

/** Leaves a version as a revocation at that moment leaves it, or the restore of an earlier one. */
export function markVersion(version: Marked, expected: ExpectedEffect, now: Date, enabled = expected === 'open'): void {
  const { id, revokedBy } = REVOKER;
  const record = formatRevocation({ id, revokedBy, revokedOn: now, version: version.version, wasEnabled: true });
  const before = new Date(now.getTime() - 1_000).toISOString();
  const tags =
    expected === 'blocked'
      ? { [REVOCATION_TAG]: record }
      : { [RESTORED_TAG]: `${id} ${before} ${revokedBy} ${version.version}` };
  const updated = Math.floor(now.getTime() / 1000);
  Object.assign(version, { tags, enabled, updated, enabledChangedMs: now.getTime() });
}
