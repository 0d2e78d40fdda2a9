/** What a client requested of a version; a refused request counts, since the client still uses the version. */
export type KeyOperation = 'wrap' | 'unwrap' | 'other';

/** The last request of one kind for one version. */
export interface LoggedUse {
  /** Lower case; undefined: the request named none, so that it may have been for any. */
  readonly version: string | undefined;
  readonly operation: KeyOperation;
  readonly lastOn: Date;
  /** Who made it; undefined where the log does not say. */
  readonly objectId: string | undefined;
  readonly appId: string | undefined;
}

/** Nothing was logged of the whole vault in between: no client used it, or its log was off. */
interface Silence {
  readonly from: Date;
  readonly to: Date;
}

/** What Key Vault's own log says of a key. */
export interface UsageLog {
  readonly uses: readonly LoggedUse[];
  /** The earliest entry of the vault; undefined: there is none. */
  readonly trackedSince: Date | undefined;
  /** The latest entry of the vault. */
  readonly trackedUntil: Date | undefined;
  /** Of {@link SILENT_HOURS} or more, to the hour; the latest ones. */
  readonly silences: readonly Silence[];
}

/** The app asks each vault something every hour, unless it is told to look more seldom. */
export const SILENT_HOURS = 3;
