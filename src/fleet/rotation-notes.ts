import { z } from 'zod';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { keyPartition } from './fleet-keys.ts';
import type { FleetTable, Row } from './fleet-rows.ts';

const ROTATIONS = 'rotations';

/**
 * What is kept of a key's rotation beside its uses. How far it is stands nowhere: it is computed from the uses each time. A
 * note that is missing or wrong costs a look more.
 */
export interface RotationNote {
  /** Key identifier without a version. */
  readonly key: string;
  /** When a look last found accounts to move (ISO 8601). */
  readonly lookedOn?: string;
  /** When a message is due that looks how far it is (ISO 8601). */
  readonly dueOn?: string;
  /** Version onto which everything was found to be moved, and recorded so. */
  readonly finished?: string;
  /** Version and name of the stage that was last put to work. */
  readonly stage?: string;
  /** Version on which the file services of the canaries were found to serve. */
  readonly canary?: string;
  /** The same, and those canaries that were found not to serve with it, in words: `<version> <words>`. */
  readonly unwell?: string;
}

/** An account is told by some sixty characters; this much is told of those that do not serve. */
const MOST_SAID = 900;

/** Canaries that were found not to serve with a version. */
export function unwellOf(version: string, words: string): string {
  return `${version} ${words}`.slice(0, MOST_SAID);
}

/** Which canaries were found not to serve with that version, in words; undefined: none was. */
export function unwellWith(version: string, note: RotationNote | undefined): string | undefined {
  return note?.unwell?.startsWith(`${version} `) ? note.unwell.slice(version.length + 1) : undefined;
}

/** Notes about rotations, in the table of the fleet index. Errors are the SDK's. */
export interface RotationNotes {
  /** In order of their keys, behind `after`. */
  all(after?: string): AsyncIterable<{ readonly note: RotationNote; readonly place: string }>;
  of(key: string): Promise<RotationNote | undefined>;
  /** Keeps what the note does not name. */
  put(note: RotationNote): Promise<void>;
}

export function createRotationNotes(table: FleetTable): RotationNotes {
  return {
    async *all(after = '') {
      for await (const row of table.rows(ROTATIONS)) {
        const note = toNote(row);
        if (note && row.rowKey > after) yield { note, place: row.rowKey };
      }
    },
    async of(key) {
      const row = await table.row(ROTATIONS, rowOf(key));
      return row && toNote(row);
    },
    put({ key, ...note }) {
      return table.write([{ partitionKey: ROTATIONS, rowKey: rowOf(key), properties: { key, ...note } }]);
    },
  };
}

/** As the partition of its uses, without what marks that as one. */
function rowOf(key: string): string {
  return keyPartition(key).slice('key|'.length);
}

const time = z.iso.datetime().optional().catch(undefined);
const NOTE = z.object({
  key: z.string().max(300),
  lookedOn: time,
  dueOn: time,
  finished: z.string().max(100).optional().catch(undefined),
  stage: z.string().max(100).optional().catch(undefined),
  canary: z.string().max(100).optional().catch(undefined),
  unwell: z.string().max(MOST_SAID).optional().catch(undefined),
});

function toNote(row: Row): RotationNote | undefined {
  const read = NOTE.safeParse(row).data;
  const key = read && parseKeyIdentifier(read.key);
  if (!key || key.version) return undefined;
  const { lookedOn, dueOn, finished, stage, canary, unwell } = read;
  const note = {
    key: formatKeyIdentifier(key),
    ...(lookedOn ? { lookedOn } : {}),
    ...(dueOn ? { dueOn } : {}),
    ...(finished ? { finished } : {}),
    ...(stage ? { stage } : {}),
    ...(canary ? { canary } : {}),
    ...(unwell ? { unwell } : {}),
  };
  return rowOf(note.key) === row.rowKey ? note : undefined;
}
