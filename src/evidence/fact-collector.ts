import { z } from 'zod';
import type { AuditRecord } from '../audit/record.ts';
import { DRILL_ACTION } from '../drift/gather/known-drills.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import {
  type DrillEvidence,
  type KeyEvidence,
  type MadeEvidence,
  type MoveEvidence,
  type Occasion,
  type RestoreEvidence,
  type RevocationEvidence,
  type RotationEvidence,
  type StateChange,
  toRecordProof,
  type VersionEvidence,
} from './key-evidence.ts';
import { UniqueFacts } from './unique-facts.ts';

const text = z.string().optional().catch(undefined);
const OCCASION = z.object({ why: text, ticket: text });
const MADE = z.object({ from: text, to: z.string(), expiresOn: text });
const ROTATION = z.object({
  version: z.string(),
  startedOn: z.iso.datetime(),
  progressOn: z.iso.datetime(),
  moved: z.number(),
  waiting: z.number(),
  failed: z.number(),
  left: z.number(),
});
const MOVE = z.object({ scope: text, to: z.string(), movedOn: z.iso.datetime().optional().catch(undefined) });
const CHANGED_VERSIONS = z
  .array(z.object({ version: z.string(), before: z.string(), after: z.string() }))
  .optional()
  .catch(undefined);
const REVOCATION = z.object({
  revocation: z.object({ id: z.string(), revokedOn: z.iso.datetime(), revokedBy: z.string().default('') }),
  versions: CHANGED_VERSIONS,
  elapsedMs: z.number().optional().catch(undefined),
});
const RESTORE = z.object({ revocation: z.object({ id: z.string() }), versions: CHANGED_VERSIONS });
const DRILL = z.object({
  endedOn: z.iso.datetime(),
  steps: z.array(
    z.object({ step: z.string(), passed: z.boolean(), provenAfter: z.number().optional(), detail: z.string() }),
  ),
});

/** Facts of one version while the trail is read. */
class VersionFacts {
  readonly made = new UniqueFacts<MadeEvidence>();
  readonly rotation = new UniqueFacts<RotationEvidence>();
  readonly moves = new UniqueFacts<MoveEvidence>();
  readonly changes = new UniqueFacts<StateChange>();

  toEvidence(version: string): VersionEvidence {
    return {
      version,
      made: this.made.all[0],
      rotation: sortByTime(this.rotation.all, ({ proof }) => proof.on).at(-1),
      moves: sortByTime(this.moves.all, ({ on }) => on),
      changes: sortByTime(this.changes.all, ({ proof }) => proof.on),
    };
  }
}

/** Facts of one key while the trail is read. */
class OneKey {
  readonly versions = new Map<string, VersionFacts>();
  readonly revocations = new UniqueFacts<RevocationEvidence>();
  readonly restores = new UniqueFacts<RestoreEvidence>();
  readonly drills = new UniqueFacts<DrillEvidence>();

  version(name: string): VersionFacts {
    const known = this.versions.get(name) ?? new VersionFacts();
    this.versions.set(name, known);
    return known;
  }

  toEvidence(key: string): KeyEvidence {
    const versions = [...this.versions].map(([name, facts]) => [name, facts.toEvidence(name)] as const);
    return {
      key,
      versions: new Map(versions),
      revocations: joinById(
        sortByTime(this.revocations.all, ({ proof }) => proof.on),
        ({ id }) => id,
      ),
      restores: joinById(
        sortByTime(this.restores.all, ({ proof }) => proof.on),
        (one) => JSON.stringify([one.revocation, one.by?.objectId]),
      ),
      drills: sortByTime(this.drills.all, ({ endedOn }) => endedOn),
    };
  }
}

/**
 * Facts of all keys, from records that are read oldest first. Its size grows with versions and moves, not with the bytes
 * of the trail.
 */
export class FactCollector {
  readonly #keys = new Map<string, OneKey>();
  /** One copy of each ARM id, since each record has its own. */
  readonly #texts = new Map<string, string>();

  /** Returns whether the record is a fact of a key. */
  collect(record: AuditRecord): boolean {
    switch (record.entry?.action) {
      case 'account.move':
      case 'account.rekey':
        return this.#addMove(record);
      case 'key.rotate':
        return this.#addMade(record);
      case 'key.rotation':
        return this.#addRotation(record);
      case 'key.revoke':
        return this.#addRevocation(record);
      case 'key.restore':
        return this.#addRestore(record);
      case DRILL_ACTION:
        return this.#addDrill(record);
      default:
        return this.#addChange(record);
    }
  }

  toEvidence(): Map<string, KeyEvidence> {
    return new Map([...this.#keys].map(([key, facts]) => [key, facts.toEvidence(key)]));
  }

  #addMove(record: AuditRecord): boolean {
    const { resource = '', reason = '', details } = record.entry ?? {};
    const { data } = MOVE.safeParse(details);
    const version = this.#version(data?.to);
    if (!data || !version) return false;

    const scope = data.scope === undefined ? {} : { scope: this.#share(data.scope) };
    const account = this.#share(resource.toLowerCase());
    const on = data.movedOn ?? record.time;
    version.moves.add(record, { reason: this.#share(reason), account, ...scope, on });
    return true;
  }

  #addMade(record: AuditRecord): boolean {
    const { resource = '', reason = '', details } = record.entry ?? {};
    const { data } = MADE.safeParse(details);
    // `RotationBegun` announces a version that may never exist.
    if (!data || reason === 'RotationBegun') return false;

    // The command line records the bare name of a version.
    const to = data.to.includes('/') ? data.to : `${resource}/${data.to}`;
    const from = data.from?.split('/').at(-1)?.toLowerCase();
    const version = this.#version(to);
    version?.made.add(record, { proof: toRecordProof(record), from, expiresOn: data.expiresOn, ...occasionOf(record) });
    return version !== undefined;
  }

  #addRotation(record: AuditRecord): boolean {
    const { resource = '', reason = '', details } = record.entry ?? {};
    const { data } = ROTATION.safeParse(details);
    if (!data) return false;

    const { version: name, ...numbers } = data;
    const version = this.#version(`${resource}/${name}`);
    version?.rotation.add(record, { reason, proof: toRecordProof(record), ...numbers });
    return version !== undefined;
  }

  #addRevocation(record: AuditRecord): boolean {
    const { resource = '', reason, details } = record.entry ?? {};
    const { data } = REVOCATION.safeParse(details);
    const key = this.#key(resource);
    if (!data || !key || (reason !== 'Revoked' && reason !== 'RevocationIncomplete')) return false;

    const { revocation, versions, elapsedMs } = data;
    const proof = toRecordProof(record);
    const occasion = occasionOf(record);
    const disabled = versions?.filter(({ before, after }) => before !== 'Disabled' && after === 'Disabled');
    const isComplete = reason === 'Revoked';
    key.revocations.add(record, {
      ...revocation,
      proof,
      isComplete,
      disabled: disabled?.length,
      elapsedMs,
      ...occasion,
    });
    for (const { version } of disabled ?? []) {
      this.#version(`${resource}/${version}`)?.changes.add(record, { did: 'revoked', proof, ...occasion });
    }
    return true;
  }

  #addRestore(record: AuditRecord): boolean {
    const { resource = '', reason, details } = record.entry ?? {};
    const { data } = RESTORE.safeParse(details);
    const key = this.#key(resource);
    if (!data || !key || (reason !== 'Restored' && reason !== 'RestoreIncomplete')) return false;

    const { revocation, versions } = data;
    const proof = toRecordProof(record);
    const occasion = occasionOf(record);
    const enabled = versions?.filter(({ before, after }) => before === 'Disabled' && after !== 'Disabled');
    const isComplete = reason === 'Restored';
    key.restores.add(record, { revocation: revocation.id, proof, isComplete, enabled: enabled?.length, ...occasion });
    for (const { version } of enabled ?? []) {
      this.#version(`${resource}/${version}`)?.changes.add(record, { did: 'restored', proof, ...occasion });
    }
    return true;
  }

  #addDrill(record: AuditRecord): boolean {
    const { resource = '', reason, details } = record.entry ?? {};
    const { data } = DRILL.safeParse(details);
    const key = this.#key(resource);
    if (!data || !key) return false;

    key.drills.add(record, {
      proof: toRecordProof(record),
      passed: reason === 'DrillPassed',
      ...data,
      ...occasionOf(record),
    });
    return true;
  }

  #addChange(record: AuditRecord): boolean {
    const { action = '', reason = '', resource = '', details = {} } = record.entry ?? {};
    const did = CHANGES[`${action} ${reason}`];
    if (did === undefined) return false;

    const named = typeof details.version === 'string' ? details.version : resource;
    const version = this.#version(named.includes('/') ? named : `${resource}/${named}`);
    version?.changes.add(record, { did, proof: toRecordProof(record), ...occasionOf(record) });
    return version !== undefined;
  }

  #key(identifier: string): OneKey | undefined {
    const key = parseKeyIdentifier(identifier);
    if (!key) return undefined;

    const id = formatKeyIdentifier(key);
    const known = this.#keys.get(id) ?? new OneKey();
    this.#keys.set(id, known);
    return known;
  }

  #version(identifier: string | undefined): VersionFacts | undefined {
    const version = parseKeyIdentifier(identifier ?? '')?.version;
    return version === undefined ? undefined : this.#key(identifier ?? '')?.version(version);
  }

  #share(one: string): string {
    const known = this.#texts.get(one);
    if (known === undefined) this.#texts.set(one, one);
    return known ?? one;
  }
}

/** Changes of one version, by action and reason. */
const CHANGES: Readonly<Record<string, StateChange['did']>> = {
  'key.keepRevoked KeptRevoked': 'keptRevoked',
  'key.retire VersionRetired': 'retired',
  'key.retire RetirementUndone': 'unretired',
  'key.unretire VersionTakenBack': 'unretired',
  'version.disable OperatorChanged': 'disabled',
  'version.enable OperatorChanged': 'enabled',
};

function occasionOf({ entry }: AuditRecord): Occasion {
  const { why, ticket } = OCCASION.catch({ why: undefined, ticket: undefined }).parse(entry?.details ?? {});
  return {
    ...(entry?.caller ? { by: entry.caller } : {}),
    ...(why === undefined ? {} : { why }),
    ...(ticket === undefined ? {} : { ticket }),
  };
}

/** Sorts by time; ISO 8601 in UTC sorts as text. */
function sortByTime<T>(facts: readonly T[], timeOf: (fact: T) => string): T[] {
  return facts.toSorted((a, b) => Date.parse(timeOf(a)) - Date.parse(timeOf(b)));
}

/** One fact for each id: a complete record wins over incomplete ones, whose call was repeated. */
function joinById<T extends { readonly isComplete: boolean }>(facts: readonly T[], idOf: (fact: T) => string): T[] {
  const joined = new Map<string, T>();
  for (const fact of facts) {
    const known = joined.get(idOf(fact));
    if (!known || (fact.isComplete && !known.isComplete)) joined.set(idOf(fact), fact);
  }
  return [...joined.values()];
}
