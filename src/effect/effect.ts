/** A service of a storage account that the probe calls. */
export type DataService = 'file' | 'blob';
export const SERVICE_WORDS = {
  file: {
    data: 'files',
    place: 'share',
    places: 'file shares',
    /** Result for an account without a share or container that contains data. */
    nothing: 'The account has no file share to list.',
    /** The role that the app needs to list data. */
    role: 'Storage File Data Privileged Reader',
  },
  blob: {
    data: 'blobs',
    place: 'container',
    places: 'blob containers',
    nothing: 'The account has no blob that its own key encrypts.',
    role: 'CMK Autopilot blob lister',
  },
} as const;

/** State of an account's service: requests for data fail, succeed, or have no clear result. */
export type EffectState = 'blocked' | 'open' | 'unknown';
/** The expected effect of a revocation (`blocked`) or a restore (`open`). */
export type ExpectedEffect = Exclude<EffectState, 'unknown'>;

export interface KeyChange {
  readonly expect: ExpectedEffect;
  /** ISO 8601. */
  readonly since: string;
}

/** Last probe result of one service of an account. */
export interface AccountEffect {
  /** ARM id. */
  readonly account: string;
  readonly service: DataService;
  /** The probed share or blob container; undefined if the account has none, so that the effect cannot show. */
  readonly share?: string | undefined;
  readonly container?: string | undefined;
  readonly state: EffectState;
  /** First probe with this state (ISO 8601). */
  readonly since: string;
  /** Last probe (ISO 8601). */
  readonly checkedOn: string;
  /** Seconds from the change to the first probe with the expected effect; undefined before that probe. */
  readonly secondsAfterChange?: number | undefined;
  /** Reason for `unknown`, or Azure's error code for `blocked`. */
  readonly why?: string | undefined;
}

/** Time until one change of the key showed in one service of an account. */
export interface EffectTime {
  /** ARM id. */
  readonly account: string;
  readonly service: DataService;
  readonly expect: ExpectedEffect;
  /** Time of the change (ISO 8601). */
  readonly since: string;
  /** Seconds to the first probe with the effect; undefined if no probe showed it. */
  readonly seconds?: number | undefined;
  /** Seconds to the last probe with the opposite state, before any probe showed the effect. */
  readonly notWithin?: number | undefined;
}

/** Id of an account's service in a record. */
export function effectId({ account, service }: Pick<AccountEffect, 'account' | 'service'>): string {
  return `${service} ${account.toLowerCase()}`;
}

/** Chooses between the results of an account's two services: a blocked service decides. */
export function moreTelling(one: AccountEffect | undefined, other: AccountEffect): AccountEffect {
  const order = ['unknown', 'open', 'blocked'];
  return one && order.indexOf(one.state) >= order.indexOf(other.state) ? one : other;
}

export function probedPlace({ share, container }: Pick<AccountEffect, 'share' | 'container'>): string | undefined {
  return share ?? container;
}

/** The effect of a key's last change, by account. */
export interface KeyEffect {
  /** Key identifier without a version. */
  readonly key: string;
  readonly change: KeyChange;
  /** False if the search missed accounts or subscriptions: the next probe searches again. */
  readonly complete: boolean;
  readonly accounts: readonly AccountEffect[];
  /** Times of this change and earlier changes, in order; undefined in a record of an older version. */
  readonly times?: readonly EffectTime[] | undefined;
}
