import { z } from 'zod';
import type { AuditFiles } from '../audit/audit-files.ts';
import { findEntry, seenBefore } from '../audit/find-entry.ts';
import { recordId } from './record-revocation.ts';

/**
 * When the revocation was made of which the audit trail has it, since that time, that somebody has restored it; undefined: it
 * has not.
 *
 * @throws the SDK's error when the trail cannot be read
 */
export type RestoreOnRecord = (revocation: string, objectId: string, since: Date) => Promise<Date | undefined>;

const DETAILS = z.object({ revocation: z.object({ revokedOn: z.iso.datetime().transform((time) => new Date(time)) }) });

export function restoreOnRecord(files: AuditFiles): RestoreOnRecord {
  return async (revocation, objectId, since) => {
    const result = await findEntry(files, recordId('key.restore', revocation, objectId), seenBefore(since));
    return 'found' in result ? revokedOnOf(result.found.entry?.details) : undefined;
  };
}

/** @param details those of an audit record */
export function revokedOnOf(details: unknown): Date | undefined {
  return DETAILS.safeParse(details).data?.revocation.revokedOn;
}
