import { getKnown } from '../../azure/read-or-why.ts';
import { HOUR_MS } from '../../formats/spans.ts';
import { formatFirst } from '../../formats/text.ts';
import type { OtherDependent } from '../../key-users/dependent.ts';
import { listGaps } from '../../key-users/version-users.ts';
import { compareAge, findNewestUsableVersion } from '../../keys/key-versions.ts';
import { describeLoggedUse, findTakeover, listReasonsOfLog, listUsesSince } from '../../retirement/evidence.ts';
import {
  findRetiredRecord,
  formatRetireCommand,
  formatUnretireCommand,
  LEAST_RETIRE_HOURS,
  listReasonsOfOperator,
  listRetirable,
  NOT_KNOWN,
} from '../../retirement/retirement.ts';
import type { Found } from './check.ts';
import type { KeySubject, Rules } from './subjects.ts';

/** A request within this time counts as current use, because Storage reads a key in use every hour. */
const RECENT_HOURS = 6;

/** Maximum number of resources in a reason. */
const NAMED = 3;

/**
 * Versions that no read account or resource names. That proves nothing, so the log or an operator must decide.
 */
export function findRetirableVersion(subject: KeySubject, { now }: Rules): readonly Found[] {
  const { key, versions, usage, evidence, others = [] } = subject;
  if (usage.unknown > 0 || usage.incomplete) return [];

  const all = getKnown(versions) ?? [];
  const named = versionsNamedBy(others);

  // The app retires no version while it knows of such a gap, whatever the log shows.
  const gaps = others.flatMap(listGaps);
  const ofOthers = gaps.length > 0 ? [formatFirst(gaps, NAMED, ' ')] : [];

  return listRetirable(all, now)
    .filter(({ version }) => !usage.uses(version) && !named.has(version))
    .map((version): Found => {
      const { id, version: name } = version;
      const seen = `It is enabled, has had a successor for ${LEAST_RETIRE_HOURS} hours at least, and no account that the app read uses it.`;
      const ofLog = evidence ? listReasonsOfLog(version, all, evidence, now, { used: usage.used }) : [];
      const open = [...listReasonsOfOperator(version), ...ofOthers, ...ofLog];
      const about = { resource: id, cause: { about: [key.id] } };

      if (evidence && open.length === 0) {
        return {
          ...about,
          is: `${seen} The log of the vault also shows no use since its successor took over.`,
          fix: `Add RetirableVersion to CMK_AUTOFIX: the app disables it once it has read every user again. To do it yourself: ${formatRetireCommand(key, name)}`,
          action: { kind: 'retire', key: key.id, version: name },
        };
      }

      return {
        ...about,
        is: [seen, NOT_KNOWN, ...open].join(' '),
        fix: `Determine whether another client uses it. If none does, run: ${formatRetireCommand(key, name)}`,
      };
    });
}

/** The versions that resources of other services name; undefined among them if one names none. */
function versionsNamedBy(others: readonly OtherDependent[]): ReadonlySet<string | undefined> {
  return new Set(others.flatMap(({ uses }) => uses.map(({ version }) => version)));
}

/** Versions that a client still uses, although every known resource uses another version. */
export function findOldVersionInUse(
  { key, versions, usage, evidence, others = [] }: KeySubject,
  { now }: Rules,
): readonly Found[] {
  if (usage.unknown > 0 || usage.incomplete || !evidence || !('log' in evidence)) return [];

  const all = getKnown(versions) ?? [];
  const successor = findNewestUsableVersion(all, now);
  const tookOver = findTakeover(all, now);
  if (!successor || !tookOver) return [];

  const since = new Date(Math.max(tookOver.getTime(), now.getTime() - RECENT_HOURS * HOUR_MS));
  const named = versionsNamedBy(others);

  return all
    .filter(({ version }) => !usage.uses(version) && !named.has(version))
    .filter((version) => compareAge(version, successor) < 0)
    .flatMap((version): Found[] => {
      const uses = listUsesSince(version, evidence.log, since).filter((use) => use.version !== undefined);
      if (uses.length === 0) return [];
      const retired = findRetiredRecord(version) !== undefined;
      const is = `No known resource uses it. ${uses.map(describeLoggedUse).join(' ')}`;
      const shouldBe = 'Every client uses the newest version of the key.';
      const found: Found = { resource: version.id, is, shouldBe, cause: { about: [key.id] } };
      if (!retired) return [found];
      const rejected = `${is} It is retired: Key Vault rejects such requests.`;
      return [{ ...found, severity: 'error', is: rejected, command: formatUnretireCommand(key, version.version) }];
    });
}
