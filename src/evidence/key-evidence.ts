import type { AuditEntry, AuditRecord } from '../audit/record.ts';

/** What the audit trail proves of one key in a period. Times are ISO 8601 (UTC). */
export interface KeyEvidence {
  /** Key identifier, in lower case. */
  readonly key: string;
  /** Versions that a record of the period names, by version (32 characters). */
  readonly versions: ReadonlyMap<string, VersionEvidence>;
  readonly revocations: readonly RevocationEvidence[];
  readonly restores: readonly RestoreEvidence[];
  readonly drills: readonly DrillEvidence[];
}

/** The record that proves a fact. `intact` records only: damaged lines prove nothing. */
export interface RecordProof {
  readonly seq: number;
  readonly hash: string;
  /** When the record was appended. */
  readonly on: string;
}

/** Caller of an action; absent: the app acted by itself. */
export type Actor = NonNullable<AuditEntry['caller']>;

/** What a caller gave as reason, and who it was. */
export interface Occasion {
  readonly by?: Actor | undefined;
  readonly why?: string | undefined;
  readonly ticket?: string | undefined;
}

export interface VersionEvidence {
  readonly version: string;
  /** Absent: another writer created it, or before the period. */
  readonly made?: MadeEvidence | undefined;
  /** The last record of its rotation; absent: none in the period. */
  readonly rotation?: RotationEvidence | undefined;
  /** Moves of accounts and scopes to it, each once, oldest first. */
  readonly moves: readonly MoveEvidence[];
  /** Changes of its state, oldest first. */
  readonly changes: readonly StateChange[];
}

export interface MadeEvidence extends Occasion {
  readonly proof: RecordProof;
  /** The version before it. */
  readonly from?: string | undefined;
  readonly expiresOn?: string | undefined;
}

/** A record of `key.rotation`: the state of a rotation when it finished or got stuck. */
export interface RotationEvidence {
  readonly reason: string;
  readonly proof: RecordProof;
  /** When the version became usable. */
  readonly startedOn: string;
  /** When the last account was moved. */
  readonly progressOn: string;
  readonly moved: number;
  readonly waiting: number;
  readonly failed: number;
  /** Left to Storage. */
  readonly left: number;
}

export interface MoveEvidence {
  /** Reason code: `Moved`, `Refreshed`, `Rekeyed`, `MoveObserved`, or of a move by Azure `PickUpObserved`. */
  readonly reason: string;
  /** ARM id. */
  readonly account: string;
  /** Encryption scope; absent: the account itself. */
  readonly scope?: string | undefined;
  /** Azure's time of a move that was only observed, else when the record was appended: within seconds of the move. */
  readonly on: string;
}

export interface StateChange extends Occasion {
  /** `keptRevoked`: disabled because its key was revoked. `disabled`, `enabled`: by an operator. */
  readonly did: 'revoked' | 'keptRevoked' | 'restored' | 'retired' | 'unretired' | 'disabled' | 'enabled';
  readonly proof: RecordProof;
}

export interface RevocationEvidence extends Occasion {
  readonly id: string;
  readonly revokedOn: string;
  /** Object id. */
  readonly revokedBy: string;
  readonly proof: RecordProof;
  /** Whether a list of the versions confirmed that all are disabled. */
  readonly isComplete: boolean;
  /** Versions that it disabled; undefined if the record does not have them. */
  readonly disabled?: number | undefined;
  readonly elapsedMs?: number | undefined;
}

export interface RestoreEvidence extends Occasion {
  /** Id of the restored revocation. */
  readonly revocation: string;
  readonly proof: RecordProof;
  readonly isComplete: boolean;
  /** Versions that it enabled; undefined if the record does not have them. */
  readonly enabled?: number | undefined;
}

export interface DrillEvidence extends Occasion {
  readonly proof: RecordProof;
  readonly endedOn: string;
  readonly passed: boolean;
  /** Steps with the seconds until their proof. */
  readonly steps: readonly {
    readonly step: string;
    readonly passed: boolean;
    readonly provenAfter?: number | undefined;
    readonly detail: string;
  }[];
}

export function toRecordProof({ seq, hash, time }: AuditRecord): RecordProof {
  return { seq, hash, on: time };
}
