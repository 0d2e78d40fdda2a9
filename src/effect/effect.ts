/** What the file service of an account shows: its data cannot be read, can be read, or it cannot be told. */
export type EffectState = 'blocked' | 'open' | 'unknown';
/** What a revocation (`blocked`) or a restore (`open`) is meant to bring about. */
export type ExpectedEffect = Exclude<EffectState, 'unknown'>;

/** What was done to the key, and when. */
export interface KeyChange {
  readonly expect: ExpectedEffect;
  /** ISO 8601. */
  readonly since: string;
}

/** What one account's file service was last seen to do. */
export interface AccountEffect {
  /** ARM id. */
  readonly account: string;
  /** The share that is asked; undefined when the account has none, and so cannot show anything. */
  readonly share?: string | undefined;
  readonly state: EffectState;
  /** When this state was first seen (ISO 8601). */
  readonly since: string;
  /** When it was last asked (ISO 8601). */
  readonly checkedOn: string;
  /** Seconds from the change to the first sight of the effect that is expected; undefined while it is not seen. */
  readonly secondsAfterChange?: number | undefined;
  /** Why it is `unknown`, or Azure's code for `blocked`. */
  readonly why?: string | undefined;
}

/** How long one change of the key took to show in one account. */
export interface EffectTime {
  /** ARM id. */
  readonly account: string;
  /** Whose data was asked for. */
  readonly service: 'file';
  readonly expect: ExpectedEffect;
  /** When the change was made (ISO 8601). */
  readonly since: string;
  /** Seconds to the first sight of the effect; undefined: it was not seen. */
  readonly seconds?: number | undefined;
  /** Seconds to the last sight of the contrary; undefined: the first look saw the effect. */
  readonly notWithin?: number | undefined;
}

/** What is known of the effect of the last change of a key, account by account. */
export interface KeyEffect {
  /** Key identifier without a version. */
  readonly key: string;
  readonly change: KeyChange;
  /** False when not every subscription could be looked through for accounts: it is done again. */
  readonly complete: boolean;
  readonly accounts: readonly AccountEffect[];
  /** From when the change is timed, where that is an earlier one that it repeats (ISO 8601). */
  readonly timedSince?: string | undefined;
  /** Of this change and of earlier ones, in their order; undefined in a record of an older version. */
  readonly times?: readonly EffectTime[] | undefined;
}
