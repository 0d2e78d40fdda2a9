import { createHash } from 'node:crypto';
import { z } from 'zod';
import { parseJson } from '../../azure/parse-json.ts';
import { storageClock } from '../../azure/storage-clock.ts';
import { CHANGED_BY, CONCERNS, type ResourceChange } from '../../events/resource-event.ts';
import { HOUR_MS } from '../../formats/spans.ts';
import { createOptional, type FleetTable, formatProperties, type RowChange } from '../../index/fleet-table-client.ts';
import { requestJob } from '../../index/jobs.ts';
import type { WorkItems } from '../../index/work-items.ts';
import type { Cause } from '../../work/messages.ts';
import type { WorkQueue } from '../../work/work-queue-client.ts';

/** A change from an event, with what its checks found. The job of all changes has the time of the next check. */
export interface ChangeRow extends ResourceChange {
  /** When the event arrived (ISO 8601). */
  readonly notedOn: string;
  /** Times of its first and its last check; absent: unchecked. */
  readonly firstCheck?: Date | undefined;
  readonly lastCheck?: Date | undefined;
  /** Uses that the check found to repair, with Azure's time stamp of their version. */
  readonly broken?: readonly { readonly use: string; readonly stamp: string }[];
}

const PENDING = 'change';
const CHECKED = 'changed';
const json = <T>(schema: z.ZodType<T>) => z.string().transform(parseJson).pipe(schema);
const time = createOptional(z.iso.datetime().transform((text) => new Date(text)));
const ROW = z.object({
  id: z.string().min(1).max(128),
  concern: z.enum([...CONCERNS, 'key']),
  at: z.string().min(1).max(1_000),
  notedOn: z.iso.datetime(),
  firstCheck: time,
  lastCheck: time,
  changedBy: json(CHANGED_BY),
  broken: json(z.array(z.object({ use: z.string(), stamp: z.string() }))).catch([]),
});

export type ChangeRows = ReturnType<typeof createChangeRows>;

/**
 * Changes from events, in the control zone. Each event has its own row, so a second delivery adds none. Throws the
 * SDK's errors.
 *
 * @param table of the control zone
 */
export function createChangeRows(table: Pick<FleetTable, 'rows' | 'write'>) {
  const read = async (partition: string): Promise<ChangeRow[]> =>
    (await Array.fromAsync(table.rows(partition))).flatMap((row) => ROW.safeParse(row).data ?? []);

  return {
    /** Changes whose check is not complete. */
    pending: () => read(PENDING),
    /** Changes of the last hour, checked or not. May include some older changes. */
    recent: async () => [...(await read(PENDING)), ...(await read(CHECKED))],
    /** Inserts or replaces. */
    put: (rows: readonly ChangeRow[]) => table.write(rows.map((row) => toRow(PENDING, row))),
    /** Keeps checked changes for an hour. A full check that read a subject before its change checks it again. */
    async finish(rows: readonly ChangeRow[]): Promise<void> {
      await table.write(rows.map((row) => toRow(CHECKED, row)));
      await table.write(rows.map((row) => keysOf(PENDING, row)));
    },
    /** Marks changes since a time as unchecked. */
    async forgetChecks(since: Date, now: Date): Promise<void> {
      const checked = await read(CHECKED);
      const again = checked.filter(({ notedOn }) => Date.parse(notedOn) >= since.getTime());
      const old = checked.filter(({ notedOn }) => Date.parse(notedOn) < now.getTime() - HOUR_MS);
      await table.write(again.map((row) => toRow(PENDING, { ...row, firstCheck: undefined, lastCheck: undefined })));
      await table.write([...again, ...old].map((row) => keysOf(CHECKED, row)));
    },
  };
}

function toRow(partitionKey: string, row: ChangeRow): RowChange {
  return { ...keysOf(partitionKey, row), properties: formatProperties(row, Object.keys(ROW.shape)) };
}

function keysOf(partitionKey: string, { id, at }: ResourceChange) {
  const rowKey = createHash('sha256').update(`${at.toLowerCase()}\n${id}`).digest('hex').slice(0, 32);
  return { partitionKey, rowKey };
}

interface RequestPorts {
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly workItems: Pick<WorkItems, 'putNew'>;
}

/** Requests the check of pending changes, after the given seconds. @throws the SDK's error */
export function requestChanges({ queue, workItems }: RequestPorts, cause: Cause, seconds: number): Promise<void> {
  return requestJob({ kind: 'changes', cause }, seconds, { queue, items: workItems, now: storageClock.now });
}

/** Checks the findings on a key that the app revoked or restored. No event reports this. @throws the SDK's error */
export async function checkKeyAgain(
  key: string,
  cause: Cause,
  services: RequestPorts & { readonly changes: Pick<ChangeRows, 'put'>; readonly now: () => Date },
): Promise<void> {
  const on = services.now().toISOString();
  const changedBy = { on, operation: cause.by, resource: key, confirmed: true };
  await services.changes.put([{ id: `${cause.by}/${on}`, concern: 'key', at: key, changedBy, notedOn: on }]);
  await requestChanges(services, cause, 0);
}
