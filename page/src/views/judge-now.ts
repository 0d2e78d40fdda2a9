import type { FleetList } from '../api/types.ts';
import { count } from '../names.ts';
import type { Tone } from '../ui/tone.ts';

export interface Standing {
  /** Undefined: not read. */
  readonly states: FleetList['summary']['states'] | undefined;
  readonly errors: number | undefined;
  readonly warnings: number | undefined;
  readonly revoked: number | undefined;
  /** Accounts and encryption scopes that are revoked below their key. */
  readonly revokedBelow: number | undefined;
  readonly stuck: number | undefined;
  /** Whether whoever looks may see none of it. */
  readonly isRefused: boolean;
  /** Whether no drift check has run yet. */
  readonly isUnchecked: boolean;
  /** What could not be read for lack of a right or an answer, although the app itself has answered. */
  readonly gaps: readonly string[];
  /** Whether some of it is older than it should be, or could not be read again. */
  readonly isOld: boolean;
}

/** The one line: it words what the API says, and never says that all is well about what it has not read, or read long ago. */
export function judgeNow(standing: Standing): { readonly tone: Tone; readonly text: string } {
  const { states, errors, warnings, revoked, revokedBelow, stuck, isRefused, isUnchecked, gaps, isOld } = standing;
  if (isRefused) return { tone: 'none', text: 'You may not see how things stand.' };
  const since = isOld ? ' Some of this is old: what is marked below could not be read again.' : '';
  const wrong = [
    revoked ? count(revoked, 'key is revoked', 'keys are revoked') : '',
    revokedBelow
      ? count(revokedBelow, 'account or scope is revoked by itself', 'accounts or scopes are revoked by themselves')
      : '',
    states?.Blocked ? count(states.Blocked, 'account is blocked', 'accounts are blocked') : '',
    states?.NoAccess ? `${count(states.NoAccess, 'account has', 'accounts have')} no access to the key` : '',
    stuck ? count(stuck, 'rotation is stuck', 'rotations are stuck') : '',
    errors ? `${count(errors, 'error')} in the last drift check` : '',
  ].filter(Boolean);
  if (wrong.length > 0) return { tone: 'bad', text: `Not well: ${wrong.join(', ')}.${since}` };
  const doubtful = [
    states?.Stale ? `${count(states.Stale, 'account is', 'accounts are')} behind` : '',
    states?.Unknown ? `${count(states.Unknown, 'account is', 'accounts are')} not known` : '',
    warnings ? `${count(warnings, 'warning')} in the last drift check` : '',
    ...gaps,
  ].filter(Boolean);
  if (doubtful.length > 0) return { tone: 'warn', text: `Worth a look: ${doubtful.join(', ')}.${since}` };
  if (isOld) return { tone: 'warn', text: 'Not known: what was read last is old, and could not be read again.' };
  if (isUnchecked) return { tone: 'none', text: 'No drift check has run yet: whether all is well is not known.' };
  const unread = [states, errors, revoked, stuck].some((one) => one === undefined);
  if (unread) return { tone: 'none', text: 'Not everything has been read yet.' };
  return { tone: 'good', text: 'All is well.' };
}
