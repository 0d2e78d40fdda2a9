import { z } from 'zod';
import { parseJson } from '../text.ts';
import { KEY_GRANT, type KeyGrant } from './key-grants.ts';

/** An unrestored revocation that version 2 recorded in tags of a storage account. */
export interface LegacyRevocation {
  readonly id: string;
  readonly revokedOn: Date;
  /** Object id of the caller. */
  readonly revokedBy: string;
  /** Name of the disabled encryption scope; undefined: the revocation removed grants of the account's identity. */
  readonly scope: string | undefined;
  readonly removed: readonly KeyGrant[];
  /** Names of the tags with the record. */
  readonly tags: readonly string[];
}

// A record is JSON in pieces of at most 256 characters, each with its number: `1/2 {"on":…`. The tags are
// `cmk-revoked-<id>`, `cmk-revoked-<id>.2` and so on.
const TAG = /^cmk-revoked-([0-9a-z-]{4,64}?)(?:\.(\d{1,2}))?$/i;
const PIECE = /^(\d{1,2})\/(\d{1,2}) (.*)$/s;
const RECORD = z.object({
  on: z.iso.datetime(),
  by: z.string(),
  part: z.string().regex(/^(?:identity|scope:.+)$/),
  took: z.array(z.union([KEY_GRANT, z.object({ kind: z.literal('scope') })])),
});

/** Reads the open revocations of version 2, newest first. Ignores an incomplete or unreadable record. */
export function readLegacyRevocations(tags: Readonly<Record<string, string>>): readonly LegacyRevocation[] {
  const names = Map.groupBy(Object.keys(tags), (name) => TAG.exec(name)?.[1]?.toLowerCase());
  return [...names]
    .flatMap(([id, own]) => (id === undefined ? [] : (readRecord(id, own, tags) ?? [])))
    .sort((a, b) => b.revokedOn.getTime() - a.revokedOn.getTime());
}

function readRecord(
  id: string,
  names: readonly string[],
  tags: Readonly<Record<string, string>>,
): LegacyRevocation | undefined {
  const pieces: string[] = [];
  for (const name of names) {
    const [, n, total, text] = PIECE.exec(tags[name] ?? '') ?? [];
    if (text === undefined || Number(n) !== Number(TAG.exec(name)?.[2] ?? 1) || Number(total) !== names.length) return;
    pieces[Number(n) - 1] = text;
  }
  const { data } = RECORD.safeParse(parseJson(pieces.join('')));
  if (!data) return undefined;
  const scope = data.part === 'identity' ? undefined : data.part.slice('scope:'.length);
  const removed = data.took.flatMap((one) => (one.kind === 'scope' ? [] : one));
  return { id, revokedOn: new Date(data.on), revokedBy: data.by, scope, removed, tags: names };
}
