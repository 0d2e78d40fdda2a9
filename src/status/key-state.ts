import {
  findNewestUsableVersion,
  findNewestVersion,
  getActiveFrom,
  getUsability,
  type KeyVersion,
} from '../keys/key-versions.ts';
import { readRevocation } from '../revocation/revocation.ts';
import { getRevocationState } from '../revocation/version-report.ts';
import type { KeyStatus, KeySummary } from './key-schemas.ts';

export function getStateOf(
  versions: readonly KeyVersion[],
  now: Date,
): Pick<KeySummary, 'state' | 'newest' | 'newestUsable' | 'versions' | 'expiresOn' | 'revocation'> {
  const newest = findNewestVersion(versions);
  if (!newest) return { state: 'missing', versions: 0 };

  const revocation = getRevocationView(versions, now);
  const usable = findNewestUsableVersion(versions, now);

  return {
    state: revocation ? 'revoked' : STATE_OF[getUsability(usable ?? newest, now)],
    newest: {
      version: newest.version,
      createdOn: newest.createdOn.toISOString(),
      activeFrom: getActiveFrom(newest).toISOString(),
      expiresOn: newest.expiresOn?.toISOString(),
      state: getUsability(newest, now),
    },
    newestUsable: usable?.version,
    versions: versions.length,
    expiresOn: (usable ?? newest).expiresOn?.toISOString(),
    revocation,
  };
}

const STATE_OF = {
  Usable: 'usable',
  Disabled: 'disabled',
  NotYetActive: 'notYetActive',
  Expired: 'expired',
} as const;

export function getRevocationView(versions: readonly KeyVersion[], now: Date): KeyStatus['revocation'] {
  const { open, restoringBy } = readRevocation(versions, now);
  return open && { ...getRevocationState(open), restoringBy };
}
