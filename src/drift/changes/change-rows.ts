import { createHash } from 'node:crypto';
import { z } from 'zod';
import { parseJson } from '../../azure/parse-json.ts';
import { CHANGED_BY, CONCERNS, type ResourceChange } from '../../events/resource-event.ts';
import { HOUR_MS } from '../../formats/spans.ts';
import type { FleetTable, RowChange } from '../../index/fleet-table-client.ts';
import { type Cause, KEY_WORK } from '../../work/messages.ts';
import type { WorkQueue } from '../../work/work-queue-client.ts';

/** A change from an event, with the state of its check. */
export interface ChangeRow extends ResourceChange {
  /** When the event arrived (ISO 8601). */
  readonly notedOn: string;
  /** Time of its next check. */
  readonly due: Date;
  /** Number of completed checks. */
  readonly attempts: number;
  /** Uses that the check found to repair, with Azure's time stamp of their version. */
  readonly broken?: readonly { readonly use: string; readonly stamp: string }[];
}

const PENDING = 'change';
const CHECKED = 'changed';
const json = <T>(schema: z.ZodType<T>) => z.string().transform(parseJson).pipe(schema);
const ROW = z.object({
  id: z.string().min(1).max(128),
  concern: z.enum([...CONCERNS, 'key']),
  at: z.string().min(1).max(1_000),
  notedOn: z.iso.datetime(),
  due: z.iso.datetime().transform((due) => new Date(due)),
  attempts: z.coerce.number().int().min(0).max(1_000).catch(0),
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
    /** Unchecked changes, due or not. */
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
    /** Marks changes since a time as unchecked. @returns their number */
    async checkAgain(since: Date, now: Date): Promise<number> {
      const checked = await read(CHECKED);
      const again = checked.filter(({ notedOn }) => Date.parse(notedOn) >= since.getTime());
      const old = checked.filter(({ notedOn }) => Date.parse(notedOn) < now.getTime() - HOUR_MS);
      await table.write(again.map((row) => toRow(PENDING, { ...row, due: now, attempts: 0 })));
      await table.write([...again, ...old].map((row) => keysOf(CHECKED, row)));
      return again.length;
    },
  };
}

function toRow(partitionKey: string, row: ChangeRow): RowChange {
  const { id, concern, at, notedOn, due, attempts, changedBy, broken } = row;

  return {
    ...keysOf(partitionKey, row),
    properties: {
      id,
      concern,
      at,
      notedOn,
      due: due.toISOString(),
      attempts: String(attempts),
      changedBy: JSON.stringify(changedBy),
      broken: JSON.stringify(broken ?? []),
    },
  };
}

function keysOf(partitionKey: string, { id, at }: ResourceChange) {
  const rowKey = createHash('sha256').update(`${at.toLowerCase()}\n${id}`).digest('hex').slice(0, 32);
  return { partitionKey, rowKey };
}

interface RequestPorts {
  readonly queue: Pick<WorkQueue, 'send'>;
}

/** Sends the message that triggers the check of pending changes, delayed by the given seconds. */
export function requestChanges({ queue }: RequestPorts, cause: Cause, seconds: number): Promise<void> {
  return queue.send(KEY_WORK, { kind: 'changes', cause }, seconds);
}

/** Checks the findings on a key that the app revoked or restored. No event reports this. @throws the SDK's error */
export async function checkKeyAgain(
  key: string,
  cause: Cause,
  services: RequestPorts & { readonly changes: Pick<ChangeRows, 'put'>; readonly now: () => Date },
): Promise<void> {
  const due = services.now();
  const on = due.toISOString();
  const changedBy = { on, operation: cause.by, resource: key, confirmed: true };
  await services.changes.put([
    { id: `${cause.by}/${on}`, concern: 'key', at: key, changedBy, notedOn: on, due, attempts: 0 },
  ]);
  await requestChanges(services, cause, 0);
}

/** Triggers the check of changes whose message was lost or whose process died. */
export async function sweepChanges(
  services: RequestPorts & { readonly changes: Pick<ChangeRows, 'pending'>; readonly now: () => Date },
): Promise<void> {
  const pending = await services.changes.pending();
  const cause = { by: 'sweep', ref: '', since: services.now().toISOString() };
  if (pending.length > 0) await requestChanges(services, cause, 0);
}
