import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { readRevocation } from '../../src/revocation/revocation.ts';
import { ACCOUNT_WORK, KEY_WORK, type WorkQueueName } from '../../src/work/messages.ts';
import { KEY } from '../support/keys.ts';
import { type Forgery, OTHER } from './app-scenario.ts';

/** Callers of the simulation, and a person who never calls. */
export const PEOPLE = [1, 2, 3, 9].map((n) => `0000000${n}-0000-4000-8000-000000000000`);

/** The message, with every field that any version of the app has read. The writer knows what the keys show. */
export function forgedMessage(
  { kind, did, by, of, hours }: Forgery,
  versions: Readonly<Record<'key' | 'other', readonly KeyVersion[]>>,
  account: { readonly id: string; readonly location: string },
  now: Date,
): { readonly queue: WorkQueueName; readonly message: object } {
  const time = new Date(now.getTime() + hours * 3_600_000).toISOString();
  const { open, restored } = readRevocation(of === 'none' ? [] : versions[of], now);
  const shown = open ?? restored;
  const objectId = PEOPLE[by % PEOPLE.length];
  const revocation = { id: shown?.id ?? 'forged', revokedOn: shown?.revokedOn ?? time, revokedBy: objectId };
  const call = { caller: { objectId, appId: 'app', kind: 'person' }, correlationId: 'forged', why: 'forged' };
  const cause = { by: did, ref: 'forged', since: time };
  const names = versions.key.map(({ version }) => version);
  const about = { kind, key: of === 'other' && kind === 'key' ? OTHER.id : KEY.id, cause, attempt: 0 };
  switch (kind) {
    case 'revocation': {
      const v2 = { did, revocation, call, finished: true, records: true, versions: names };
      return { queue: KEY_WORK, message: { ...about, ...v2, due: time, claimed: call } };
    }
    case 'probe':
      return { queue: KEY_WORK, message: { ...about, expect: did === 'revoke' ? 'blocked' : 'open', since: time } };
    case 'rotation':
      return { queue: KEY_WORK, message: { ...about, since: time, due: time, lookedAgain: by % 2 === 0 } };
    case 'account':
      return { queue: ACCOUNT_WORK, message: { ...about, account: account.id, location: account.location } };
    default:
      return { queue: KEY_WORK, message: { ...about, alsoLate: by % 2 === 0 } };
  }
}
