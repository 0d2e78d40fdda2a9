/** A service of a storage account whose data is asked for. */
export type DataService = 'file' | 'blob';
export const SERVICE_WORDS = {
  file: {
    data: 'files',
    place: 'share',
    places: 'file shares',
    /** Of an account that has no place with anything in it. */
    nothing: 'It has no file share that could be listed.',
    /** The role that the app lacks where it may not list. */
    role: 'Storage File Data Privileged Reader',
  },
  blob: {
    data: 'blobs',
    place: 'container',
    places: 'blob containers',
    nothing: 'It has no blob that it could be seen by.',
    role: 'CMK Autopilot blob lister',
  },
} as const;

/** What a service of an account shows: its data cannot be read, can be read, or that is unknown. */
export type EffectState = 'blocked' | 'open' | 'unknown';
/** What a revocation (`blocked`) or a restore (`open`) is meant to bring about. */
export type ExpectedEffect = Exclude<EffectState, 'unknown'>;

export interface KeyChange {
  readonly expect: ExpectedEffect;
  /** ISO 8601. */
  readonly since: string;
}

/** What one service of an account was last seen to do. */
export interface AccountEffect {
  /** ARM id. */
  readonly account: string;
  readonly service: DataService;
  /** The share, or the blob container, that is asked; undefined when there is none, so that nothing can be shown. */
  readonly share?: string | undefined;
  readonly container?: string | undefined;
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

/** How long one change of the key took to show in one service of an account. */
export interface EffectTime {
  /** ARM id. */
  readonly account: string;
  readonly service: DataService;
  readonly expect: ExpectedEffect;
  /** When the change was made (ISO 8601). */
  readonly since: string;
  /** Seconds to the first sight of the effect; undefined: it was not seen. */
  readonly seconds?: number | undefined;
  /** Seconds to the last sight of the contrary, while the effect was not seen. */
  readonly notWithin?: number | undefined;
}

/** What is asked of an account, so that it can be found again in a record. */
export function effectId({ account, service }: Pick<AccountEffect, 'account' | 'service'>): string {
  return `${service} ${account.toLowerCase()}`;
}

/** The result that counts of two services of an account: one that refuses is enough. */
export function moreTelling(one: AccountEffect | undefined, other: AccountEffect): AccountEffect {
  const order = ['unknown', 'open', 'blocked'];
  return one && order.indexOf(one.state) >= order.indexOf(other.state) ? one : other;
}

export function probedPlace({ share, container }: Pick<AccountEffect, 'share' | 'container'>): string | undefined {
  return share ?? container;
}

/** What is known of the effect of the last change of a key, account by account. */
export interface KeyEffect {
  /** Key identifier without a version. */
  readonly key: string;
  readonly change: KeyChange;
  /** False if not every subscription could be searched for accounts: the next probe searches again. */
  readonly complete: boolean;
  readonly accounts: readonly AccountEffect[];
  /** Of this change and of earlier ones, in their order; undefined in a record of an older version. */
  readonly times?: readonly EffectTime[] | undefined;
}
