import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import type { Reason } from '../reasons.ts';
import type { Cause, RotationWork } from '../work/messages.ts';
import type { Outcome } from '../work/outcome.ts';

/** Why something waits although nothing is wrong with it. */
export interface Hold {
  readonly reason: Reason;
  readonly detail: string;
  /** When it is worth while to ask again. */
  readonly delaySeconds: number;
}

/** How far a rotation may go now. */
export interface Stage {
  /** Undefined: it may move now. */
  hold(account: string): Hold | undefined;
  /** Nothing is known of what uses the key, and its canaries are still to be found. */
  readonly unknown: boolean;
  /** The version that it is about; absent: it holds nobody, whichever it is. */
  readonly version?: string;
}

/** In which order, and when, accounts are moved. Nothing of it throws, and it never decides whereto. */
export interface Rollout {
  /** The pause that the key is under; undefined: there is none. */
  paused(key: ManagedKey, log: Log): Promise<Hold | undefined>;
  /** The same as it was last known, for what comes right before a write. */
  pausedNow(key: ManagedKey): Hold | undefined;
  /** @param versions the key's, just read: the stage is read anew; without them what was read a moment ago is enough */
  stage(key: ManagedKey, log: Log, versions?: readonly KeyVersion[]): Promise<Stage>;
  /**
   * Why an account does not move onto the newest of these versions now, where the stage that is known from a moment ago may
   * be about one before it.
   */
  heldNow(key: ManagedKey, account: string, versions: readonly KeyVersion[], log: Log): Promise<Hold | undefined>;
  /**
   * Accounts of the key were put to work: somebody looks later how far they are. Errors are the queue's, where others are held
   * back.
   */
  follow(
    key: ManagedKey,
    versions: readonly KeyVersion[],
    cause: Cause,
    log: Log,
    how?: {
      /** Looks as soon as they are done, if there is room; it is in the queue by then. */
      readonly atOnce?: ((work: RotationWork) => Promise<boolean>) | undefined;
      /** Others wait for them: nobody but that look puts those to work. */
      readonly holdsBack?: boolean;
    },
  ): Promise<void>;
}

/** Put back without a try that counts. */
export function waits({ reason, detail, delaySeconds }: Hold): Outcome {
  return { outcome: 'retry', reason, detail, counts: false, delaySeconds, quiet: true };
}

/** The same of what may hold it. */
export function held(hold: Hold | undefined): Outcome | undefined {
  return hold && waits(hold);
}
