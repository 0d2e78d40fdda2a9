import type { NowAnswer, NowParts } from './now-schemas.ts';

/** Words for a part that could not be read. */
const WORDS: Readonly<Record<keyof NowParts, string>> = {
  fleet: 'the fleet',
  keys: 'the keys',
  pauses: 'what is paused',
  rotations: 'the rotations',
  drift: 'the last drift check',
};

/**
 * Summarizes the parts that the caller sees in one line, which never calls healthy what was not read.
 *
 * `good`: healthy; `bad`: data is cut off or will be; `warn`: it needs a check; `none`: not known yet.
 */
export function judgeNow(parts: NowParts): Pick<NowAnswer, 'line' | 'tone'> {
  const all = Object.entries(parts) as [keyof NowParts, NowParts[keyof NowParts]][];
  const isReading = all.some(([, { reading }]) => reading);
  const more = isReading ? ' Not everything has been read yet.' : '';
  const wrong = wrongOf(parts);
  const refused = all.flatMap(([name, { problem }]) =>
    problem && problem.status !== 403 ? `${WORDS[name]} could not be read` : [],
  );
  const unread = [...unreadOf(parts), ...refused];
  const gaps = unread.length > 0 ? ` Not all is known: ${unread.join(', ')}.` : '';
  if (wrong.length > 0) return { tone: 'bad', line: `Not well: ${wrong.join(', ')}.${gaps}${more}` };
  if (parts.drift.value && !parts.drift.value.report) {
    return { tone: 'none', line: `No drift check has run yet: whether all is well is not known.${more}` };
  }
  const doubtful = [...doubtsOf(parts), ...unread];
  if (doubtful.length > 0) return { tone: 'warn', line: `Worth a look: ${doubtful.join(', ')}.${more}` };
  if (isReading) return { tone: 'none', line: 'Not everything has been read yet.' };
  const isNarrowed = all.some(([, { problem }]) => problem);
  return { tone: 'good', line: isNarrowed ? 'All is well, as far as you may see.' : 'All is well.' };
}

function wrongOf({ fleet, keys, rotations, drift }: NowParts): readonly string[] {
  const { states } = fleet.value ?? {};
  const { revoked = [], moreRevoked = 0, notBegun = [] } = keys.value ?? {};
  const keysRevoked = revoked.length + moreRevoked;
  const stuck = [...(rotations.value?.underWay ?? []), ...notBegun].filter(
    ({ state }) => state === 'stuck' || state === 'held',
  ).length;
  const errors = drift.value?.report?.counts.error ?? 0;
  return [
    keysRevoked ? many(keysRevoked, 'key is revoked', 'keys are revoked') : '',
    // The key itself could not be read, or the caller may not see it.
    states?.Revoked && keysRevoked === 0 ? many(states.Revoked, 'account is revoked', 'accounts are revoked') : '',
    states?.Blocked ? many(states.Blocked, 'account is blocked', 'accounts are blocked') : '',
    states?.NoAccess
      ? many(states.NoAccess, 'account has no access to the key', 'accounts have no access to the key')
      : '',
    stuck ? many(stuck, 'rotation is stuck', 'rotations are stuck') : '',
    errors ? `${many(errors, 'error', 'errors')} in the last drift check` : '',
  ].filter(Boolean);
}

/** What may become wrong. */
function doubtsOf({ fleet, drift }: NowParts): readonly string[] {
  const { states } = fleet.value ?? {};
  const { report } = drift.value ?? {};
  return [
    states?.Stale ? many(states.Stale, 'account is behind', 'accounts are behind') : '',
    states?.Unknown ? many(states.Unknown, 'account is not known', 'accounts are not known') : '',
    report?.counts.warning ? `${many(report.counts.warning, 'warning', 'warnings')} in the last drift check` : '',
  ].filter(Boolean);
}

/** What is missing in the parts that were read. */
function unreadOf({ fleet, keys, rotations, drift }: NowParts): readonly string[] {
  const { report } = drift.value ?? {};
  const { vaultsUnread = 0, keysUnread = 0, complete = true } = keys.value ?? {};
  const unknown = (rotations.value?.underWay ?? []).filter(({ state }) => state === 'unknown').length;
  return [
    fleet.value?.listed === false ? 'not every account is known yet' : '',
    fleet.value?.listed && fleet.value.warnings.length > 0 ? 'part of the fleet could not be read' : '',
    vaultsUnread ? `${many(vaultsUnread, 'vault', 'vaults')} could not be listed` : '',
    keysUnread ? `${many(keysUnread, 'key', 'keys')} could not be read` : '',
    complete ? '' : 'there was no time to read every key',
    unknown ? `${many(unknown, 'rotation', 'rotations')} could not be read` : '',
    report?.complete === false ? 'the last drift check could not read everything' : '',
    report?.old ? 'the last drift check was more than two days ago' : '',
  ].filter(Boolean);
}

function many(number: number, one: string, several: string): string {
  return `${number.toLocaleString('en')} ${number === 1 ? one : several}`;
}
