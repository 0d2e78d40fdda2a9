import { z } from 'zod';
import { scopeResource } from '../azure/resource-id.ts';
import { parseJson } from '../text.ts';
import { OBJECT_ID, RECORDED_TAKEN } from '../work/taken.ts';
import { isBelieved, isNewer, type RevocationStamp } from './revocation.ts';

/**
 * The record of a revocation below the key stands in tags of the storage account, beside what it took away: a tag
 * `cmk-revoked-<id>`, and `cmk-revoked-<id>.2` and so on where it is long. Each revocation has names of its own, and tags are
 * merged one by one (`Microsoft.Resources/tags`), so that none can be lost to another that is written at the same time.
 */
const TAG = /^cmk-revoked-([0-9a-z-]{4,64}?)(?:\.(\d{1,2}))?$/i;
const PREFIX = 'cmk-revoked-';
/** Characters of a tag's value (Azure Resource Manager, "Tag resources": 256), less those that number the pieces. */
const PIECE = 245;
/** A resource has 50 tags in all; a record that takes more than these is not begun. */
const MOST_PIECES = 20;

/** What is revoked: the access of an account's identity to its key, or one encryption scope. */
export type RevokedPart = 'identity' | `scope:${string}`;

export function revokedPart(scope: string | undefined): RevokedPart {
  return scope === undefined ? 'identity' : `scope:${scope}`;
}

/** The name of the encryption scope; undefined: it is the identity. */
export function scopeOfPart(part: RevokedPart): string | undefined {
  return part === 'identity' ? undefined : part.slice('scope:'.length);
}

/** ARM id of the account, or of its encryption scope: what records and findings are about. */
export function resourceOfPart({ id }: { readonly id: string }, part: RevokedPart): string {
  const scope = scopeOfPart(part);
  return scope === undefined ? id : scopeResource(id, scope);
}

/** One thing that was taken away, as exactly as it takes to give back the same. */
export type Taken =
  /** An encryption scope that was enabled. */
  | { readonly kind: 'scope'; readonly name: string }
  /** An assignment of the role "Key Vault Crypto Service Encryption User". */
  | {
      readonly kind: 'role';
      /** GUID of the assignment. */
      readonly name: string;
      /** ARM id of the vault or the key that it was made at. */
      readonly scope: string;
      readonly principalId: string;
      readonly description?: string | undefined;
      readonly condition?: string | undefined;
      readonly conditionVersion?: string | undefined;
    }
  /** An assignment of the local role "Managed HSM Crypto Service Encryption User"; it has no conditions. */
  | {
      readonly kind: 'localRole';
      /** GUID of the assignment. */
      readonly name: string;
      /** URI of the Managed HSM. */
      readonly hsm: string;
      readonly scope: LocalScope;
      readonly principalId: string;
    };

/** Of a whole Managed HSM, of all its keys, of one key. */
export type LocalScope = '/' | '/keys' | `/keys/${string}`;

export type TakenRole = Extract<Taken, { kind: 'role' }>;
export type TakenLocalRole = Extract<Taken, { kind: 'localRole' }>;
export type TakenAccess = TakenRole | TakenLocalRole;

const REST = '-rest';

/** Id of the record of what a restore has not given back of that revocation, whose own record it has taken away. */
export function restOf(id: string): string {
  return `${id}${REST}`;
}

/** Id of the revocation that a call has made. */
export function madeAs(id: string): string {
  return id.endsWith(REST) ? madeAs(id.slice(0, -REST.length)) : id;
}

/** The same for the same thing, whoever spells it. */
export function takenId(taken: Taken): string {
  return `${taken.kind}:${placeOfTaken(taken)}${taken.name}`.toLowerCase();
}

function placeOfTaken(taken: Taken): string {
  if (taken.kind === 'scope') return '';
  return taken.kind === 'role' ? `${taken.scope}/` : `${taken.hsm}${taken.scope}/`;
}

/** What several revocations took, each thing once. */
export function allTaken(all: readonly Pick<AccountRevocation, 'took'>[]): readonly Taken[] {
  return [...new Map(all.flatMap(({ took }) => took).map((one) => [takenId(one), one])).values()];
}

export interface AccountRevocation extends RevocationStamp {
  readonly part: RevokedPart;
  /** All that a restore gives back; empty: there was nothing to take away. */
  readonly took: readonly Taken[];
}

/** What the tags of an account say. */
export interface AccountRevocations {
  /** Of all parts, newest first. */
  readonly open: readonly AccountRevocation[];
  /** Ids of records that this app cannot have written, or of which a piece is missing: they do not count. */
  readonly unbelieved: readonly string[];
}

/** Others whose revocations a record has joined. */
export const MOST_JOINED_BELOW_KEY = 20;
export const PART = z.union([z.literal('identity'), z.templateLiteral(['scope:', z.string().min(1).max(63)])]);
const RECORD = z.strictObject({
  on: z.iso.datetime(),
  by: OBJECT_ID,
  joined: z.array(OBJECT_ID).max(MOST_JOINED_BELOW_KEY).optional(),
  part: PART,
  took: z.array(RECORDED_TAKEN),
});

/** The tags of a record; undefined: it is longer than tags hold. */
export function formatAccountRevocation(revocation: AccountRevocation): Record<string, string> | undefined {
  const { id, revokedOn, revokedBy, joined, part, took } = revocation;
  const record = { on: revokedOn.toISOString(), by: revokedBy, ...(joined ? { joined } : {}), part, took };
  // Plain ASCII: Azure counts characters, and what it counts as one is not said.
  const text = JSON.stringify(record).replaceAll(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const pieces = Array.from({ length: Math.ceil(text.length / PIECE) }, (_, n) =>
    text.slice(n * PIECE, (n + 1) * PIECE),
  );
  if (pieces.length > MOST_PIECES) return undefined;
  return Object.fromEntries(
    pieces.map((piece, n) => [`${PREFIX}${id}${n === 0 ? '' : `.${n + 1}`}`, `${n + 1}/${pieces.length} ${piece}`]),
  );
}

/** The tags of an account that are a piece of that record, exactly as they are there. */
export function tagsOfRecord(tags: Readonly<Record<string, string>>, id: string): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).filter(([name]) => TAG.exec(name)?.[1]?.toLowerCase() === id));
}

/** Likewise of several records. */
export function tagsOfRecords(
  tags: Readonly<Record<string, string>>,
  records: readonly Pick<AccountRevocation, 'id'>[],
): Record<string, string> {
  return Object.assign({}, ...records.map(({ id }) => tagsOfRecord(tags, id)));
}

export function readAccountRevocations(tags: Readonly<Record<string, string>>, now: Date): AccountRevocations {
  const ids = new Set(Object.keys(tags).flatMap((name) => TAG.exec(name)?.[1]?.toLowerCase() ?? []));
  const open: AccountRevocation[] = [];
  const unbelieved: string[] = [];
  for (const id of ids) {
    const record = parseRecord(id, tagsOfRecord(tags, id), now);
    if (record) open.push(record);
    else unbelieved.push(id);
  }
  return { open: open.sort((a, b) => (isNewer(a, b) ? -1 : 1)), unbelieved };
}

/** Those of one part, newest first. */
export function openOfPart(
  tags: Readonly<Record<string, string>>,
  part: RevokedPart,
  now: Date,
): readonly AccountRevocation[] {
  return readAccountRevocations(tags, now).open.filter((one) => samePart(one.part, part));
}

/**
 * Which revocation below the key keeps something from its key: a scope is revoked with its account.
 *
 * @param tags of the account
 * @param scope the encryption scope; undefined: the account itself
 */
export function revokedBelowKey(
  tags: Readonly<Record<string, string>>,
  scope: string | undefined,
  now: Date,
): 'AccountRevocationOpen' | 'ScopeRevocationOpen' | undefined {
  if (openOfPart(tags, 'identity', now).length > 0) return 'AccountRevocationOpen';
  return openOfPart(tags, revokedPart(scope), now).length > 0 ? 'ScopeRevocationOpen' : undefined;
}

export function samePart(a: RevokedPart, b: RevokedPart): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Object ids, lower case, of everybody whose revocation these are or have joined: a second person is none of them. */
export function accountRevokers(open: readonly AccountRevocation[]): readonly string[] {
  const all = open.flatMap(({ revokedBy, joined = [] }) => [revokedBy, ...joined]);
  return [...new Set(all.map((id) => id.toLowerCase()))];
}

function parseRecord(id: string, tags: Readonly<Record<string, string>>, now: Date): AccountRevocation | undefined {
  const pieces = new Map<number, string>();
  let of = 0;
  for (const [name, value] of Object.entries(tags)) {
    const [, n, total, piece] = /^(\d{1,2})\/(\d{1,2}) (.*)$/s.exec(value) ?? [];
    if (Number(n) !== Number(TAG.exec(name)?.[2] ?? 1) || piece === undefined) return undefined;
    of = of === 0 || Number(total) === of ? Number(total) : -1;
    pieces.set(Number(n), piece);
  }
  if (pieces.size !== of) return undefined;
  const text = [...pieces].sort(([a], [b]) => a - b).map(([, piece]) => piece);
  const read = RECORD.safeParse(parseJson(text.join('')));
  if (!read.success) return undefined;
  const { on, by, joined, part, took } = read.data;
  const revokedOn = new Date(on);
  if (!isBelieved({ revokedOn }, now)) return undefined;
  return { id, revokedOn, revokedBy: by, ...(joined ? { joined } : {}), part, took };
}
