import type { Fault } from './scheduler.ts';

/** What callers and people do, in this order: each begins at any time after the one before, or when nothing else goes on. */
export interface AccountDeed {
  readonly do:
    | 'revoke'
    | 'restore'
    | 'giveByHand'
    | 'giveMoreByHand'
    | 'takeByHand'
    | 'enableByHand'
    | 'changeIdentity'
    | 'plantRecord'
    | 'minutesPass';
  readonly minutes?: number;
  /** Whoever made the call before makes this one, too. */
  readonly again?: boolean;
  /** When the calls before have ended, and nothing happens but looks that are to come. */
  readonly quiet?: boolean;
  /** When the call before has ended, whatever else is at work. */
  readonly ended?: boolean;
}

export interface AccountScenario {
  readonly scope: boolean;
  readonly roles: number;
  /** The key is in a Managed HSM. */
  readonly hsm: boolean;
  readonly deeds: readonly AccountDeed[];
  readonly faults: number;
  readonly kinds?: readonly Fault[];
  readonly aim: RegExp;
  readonly kills: number;
  /** Whoever is killed dies with all the others: they are on one instance. */
  readonly together?: boolean;
  /** Minutes by which the clocks of the two instances are off. */
  readonly skews: readonly [number, number];
  /** Comes each hour to what does not hold. */
  readonly driftChecks: number;
  /** So many messages are delivered twice, to both instances at once. */
  readonly doubles?: number;
}
