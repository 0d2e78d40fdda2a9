import { managedKey } from '../../src/keys/managed-vaults.ts';
import type { Work, WorkQueueName } from '../../src/work/messages.ts';
import { KEY } from '../support/keys.ts';
import type { Fault } from './scheduler.ts';
import type { Spoil } from './spoil-index.ts';

/** The key that a re-key moves to. */
export const OTHER = managedKey(KEY.vault, 'new-key');

/** What a history of the app is made of. */
export interface AppScenario {
  readonly instances: number;
  readonly accounts: readonly ('pinned' | 'automatic')[];
  readonly versions: number;
  /** What people and callers do, in this order, at any time. */
  readonly deeds: readonly Deed[];
  readonly faults: number;
  readonly kinds?: readonly Fault[];
  /** Calls that may go wrong, and during which a process may be killed. */
  readonly aim: RegExp;
  readonly kills: number;
  /** How often an instance that is at such a call is cut off from the app's own storage. */
  readonly cuts?: number;
  /** Every so many renewals of leases get lost. */
  readonly flaky?: number;
  /** Minutes by which each instance's clock is off. */
  readonly skews: readonly number[];
  /**
   * Deeds come when nothing else happens, when something went wrong since the last one, or while such a call is under way;
   * without it at any time.
   */
  readonly during?: RegExp;
  /** Calls that take longer than all else that is under way. */
  readonly slow?: RegExp;
  /** Accounts that go first; their file services do not serve the first time that they are asked. */
  readonly canary?: number;
  readonly waves?: readonly (string | undefined)[];
  /** The newest version nears its expiry. */
  readonly nearExpiry?: boolean;
  /** Resource Graph shows nothing: it follows changes when it likes. */
  readonly graphBlind?: boolean;
  /** Events are looked into where they arrive, and not from the queue. */
  readonly atOnce?: boolean;
  /** Accounts that the drift check is to leave where they are, by their number from 0 on. */
  readonly exempt?: readonly number[];
  /** No drift check comes to find what was lost: messages alone have to see to it. */
  readonly noDriftCheck?: boolean;
}

/** What a writer of the queues puts there; numbers choose among what there is. */
export interface Forgery {
  readonly kind: 'revocation' | 'probe' | 'key' | 'rotate' | 'rotation' | 'account';
  readonly did: 'revoke' | 'restore';
  /** In whose name. */
  readonly by: number;
  /** Of which key the message takes the revocation that it names. */
  readonly of: 'key' | 'other' | 'none';
  /** Hours by which its times are off. */
  readonly hours: number;
}

export type Deed =
  | { readonly do: 'rotate'; readonly events: number }
  | { readonly do: 'pin'; readonly account: number; readonly version: number }
  | { readonly do: 'unpin' | 'switchKey' | 'rotateAndPin'; readonly account: number }
  /** `quietly`: not before nothing else happens, as for so long no process stands still in the middle of its work. */
  | { readonly do: 'timePasses'; readonly seconds: number; readonly quietly?: true }
  | { readonly do: 'pause'; readonly seconds: number | undefined }
  | { readonly do: 'resume' | 'controlLost' }
  | { readonly do: 'spoilIndex'; readonly how: Spoil }
  | { readonly do: 'rotateOther' }
  /** One more drift check begins, beside those that are under way. */
  | { readonly do: 'driftCheck' }
  /** Messages of that kind that nobody has in hand are gone. */
  | { readonly do: 'loseMessages'; readonly kind: Work['kind'] }
  /** Somebody who may write the queues, and nothing else. */
  | { readonly do: 'forge'; readonly forgery: Forgery }
  | { readonly do: 'writeLeases'; readonly state: unknown }
  | { readonly do: 'put'; readonly queue: WorkQueueName; readonly message: object }
  /** `loseTrail`: nothing that was done so far is on record. */
  | { readonly do: 'revokeOther' | 'restoreOther' | 'loseTrail' }
  | { readonly do: 'lateEvent' | 'nearExpiryEvent' | 'revoke' | 'restore' | 'disableNewest' };

export function describeDeed(deed: Deed): string {
  return Object.values(deed)
    .map((value) => (typeof value === 'object' ? JSON.stringify(value) : value))
    .join(' ');
}
