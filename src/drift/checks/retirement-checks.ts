import { known } from '../../azure/read-or-why.ts';
import { HOUR_MS } from '../../formats/spans.ts';
import { nameFirst } from '../../formats/text.ts';
import type { OtherDependent } from '../../key-users/dependent.ts';
import { gapsOf } from '../../key-users/version-users.ts';
import { compareAge, newestUsableVersion } from '../../keys/key-versions.ts';
import { reasonsOfLog, sentenceOf, takenOver, usesSince } from '../../retirement/evidence.ts';
import {
  LEAST_RETIRE_HOURS,
  NOT_KNOWN,
  reasonsOfPerson,
  retirable,
  retireCommand,
  retiredRecord,
  unretireCommand,
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
export function retirableVersion(subject: KeySubject, { now }: Rules): readonly Found[] {
  const { key, versions, usage, evidence, others = [] } = subject;
  if (usage.unknown > 0 || usage.incomplete) return [];

  const all = known(versions) ?? [];
  const named = versionsNamedBy(others);

  // The app retires no version while it knows of such a gap, whatever the log shows.
  const gaps = others.flatMap(gapsOf);
  const ofOthers = gaps.length > 0 ? [nameFirst(gaps, NAMED, ' ')] : [];

  return retirable(all, now)
    .filter(({ version }) => !usage.uses(version) && !named.has(version))
    .map((version): Found => {
      const { id, version: name } = version;
      const seen = `It is enabled, has had a successor for ${LEAST_RETIRE_HOURS} hours at least, and no account that the app read uses it.`;
      const ofLog = evidence ? reasonsOfLog(version, all, evidence, now, { used: usage.used }) : [];
      const open = [...reasonsOfPerson(version), ...ofOthers, ...ofLog];
      const about = { resource: id, cause: { about: [key.id] } };

      if (evidence && open.length === 0) {
        return {
          ...about,
          is: `${seen} The log of the vault also shows no use since its successor took over.`,
          fix: `Add RetirableVersion to CMK_AUTOFIX: the app disables it once it has read every user again. To do it yourself: ${retireCommand(key, name)}`,
          action: { kind: 'retire', key: key.id, version: name },
        };
      }

      return {
        ...about,
        is: [seen, NOT_KNOWN, ...open].join(' '),
        fix: `Determine whether another client uses it. If none does, run: ${retireCommand(key, name)}`,
      };
    });
}

/** The versions that resources of other services name; undefined among them if one names none. */
function versionsNamedBy(others: readonly OtherDependent[]): ReadonlySet<string | undefined> {
  return new Set(others.flatMap(({ uses }) => uses.map(({ version }) => version)));
}

/** Versions that a client still uses, although every known resource uses another version. */
export function oldVersionInUse(
  { key, versions, usage, evidence, others = [] }: KeySubject,
  { now }: Rules,
): readonly Found[] {
  if (usage.unknown > 0 || usage.incomplete || !evidence || !('log' in evidence)) return [];

  const all = known(versions) ?? [];
  const successor = newestUsableVersion(all, now);
  const tookOver = takenOver(all, now);
  if (!successor || !tookOver) return [];

  const since = new Date(Math.max(tookOver.getTime(), now.getTime() - RECENT_HOURS * HOUR_MS));
  const named = versionsNamedBy(others);

  return all
    .filter(({ version }) => !usage.uses(version) && !named.has(version))
    .filter((version) => compareAge(version, successor) < 0)
    .flatMap((version): Found[] => {
      const uses = usesSince(version, evidence.log, since).filter((use) => use.version !== undefined);
      if (uses.length === 0) return [];
      const retired = retiredRecord(version) !== undefined;
      const is = `No known resource uses it. ${uses.map(sentenceOf).join(' ')}`;
      const shouldBe = 'Every client uses the newest version of the key.';
      const found: Found = { resource: version.id, is, shouldBe, cause: { about: [key.id] } };
      if (!retired) return [found];
      const rejected = `${is} It is retired: Key Vault rejects such requests.`;
      return [{ ...found, severity: 'error', is: rejected, command: unretireCommand(key, version.version) }];
    });
}
