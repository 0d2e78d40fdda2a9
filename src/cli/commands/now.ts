import { getLastName } from '../../azure/resource-id.ts';
import type { DriftCause } from '../../drift/report/report.ts';
import { formatCount } from '../../formats/text.ts';
import { formatIdentifier } from '../../keys/key-identifier.ts';
import { formatCauseLabel } from '../../keys/resource-label.ts';
import { describeCause, listAccounts } from '../../status/cause-sentence.ts';
import type { NowAnswer, NowParts } from '../../status/now-schemas.ts';
import type { CmkCommand } from '../terminal/command.ts';
import type { Output } from '../terminal/output.ts';
import { describeHealthSources, formatAge } from './account-list.ts';
import { formatPause } from './rotation.ts';

/** Interval and limit of repeated reads while the app still reads a slow part, in milliseconds. */
const AGAIN_MS = 1_000;
const LONGEST_MS = 60_000;

type WholeNow = NowAnswer &
  NowParts & {
    /** Why the app did not answer; absent: it did, or is not named. */
    readonly unanswered?: string;
  };

export function addNowCommand(program: CmkCommand): void {
  program
    .command('now')
    .description('health of the fleet, and its problems')
    .addHelpText(
      'after',
      '\nExit code 0: the fleet is healthy; 1: it is not, its health is unknown, or the\napp does not answer.',
    )
    .readsApp(async ({ app, azure }): Promise<WholeNow> => {
      const { NOW } = await import('../../status/now-schemas.ts');
      const endMs = azure.now().getTime() + LONGEST_MS;
      for (;;) {
        const now = await app.get('/now', NOW);
        const isBeingRead = Object.values(partsOf(now)).some(({ reading }) => reading);
        if (!isBeingRead || azure.now().getTime() > endMs) {
          return addUnanswered(now, app.unanswered(), azure.now());
        }
        await azure.sleep(AGAIN_MS);
      }
    }, showNow);
}

/**
 * Leads with an app that does not answer: the health from its storage says nothing about the app itself.
 *
 * @param why undefined: the app answers, or is not named
 */
export function addUnanswered(now: WholeNow, why: string | undefined, at: Date): WholeNow {
  if (why === undefined) return now;

  const { report } = now.drift.value ?? {};
  const last = report ? `its last check began ${formatAge(report.startedOn, at)}` : 'it has made no check yet';

  return {
    ...now,
    tone: now.tone === 'bad' ? 'bad' : 'warn',
    line: `The app does not answer; ${last}. By its storage: ${now.line}`,
    unanswered: why,
  };
}

export function showNow(now: WholeNow, output: Output): void {
  const rows = rowsOf(now);

  if (output.isRows) {
    rows.unshift({ part: 'line', state: now.tone, detail: now.line });
  } else {
    output.text(now.line);
    if (now.fleet.value) output.text(`${now.fleet.value.text}.`);
    if (now.fleet.value) output.text(describeHealthSources(now.drift.value?.report, new Date()));
  }

  // As `jsonl` the document itself is the only line.
  if (output.format === 'terminal') {
    const beside = rows.filter(({ cause }) => cause === undefined);
    if (beside.length > 0) output.list<Row>(['part', 'about', 'state', 'detail'], beside);
    for (const { cause } of rows) {
      if (cause) showCause(cause, output);
    }
  } else if (rows.length > 0 && output.format !== 'jsonl') {
    output.list<Row>(['part', 'about', 'state', 'detail', 'command'], rows);
  }

  if (now.unanswered !== undefined) output.text('`cmk doctor` says what to check.');

  for (const [part, { problem }] of Object.entries(partsOf(now))) {
    if (problem) output.notes([`${part}: ${problem.detail} ${problem.nextStep}`]);
  }

  output.incompleteIf(now.tone !== 'good');
}

function partsOf({ line: _, tone: __, unanswered: ___, ...parts }: WholeNow): NowParts {
  return parts;
}

interface Row {
  readonly part: string;
  readonly about?: string | undefined;
  readonly state: string;
  readonly detail: string;
  /** The first command of a cause. */
  readonly command?: string | undefined;
  readonly cause?: DriftCause;
}

/** Shows a cause in the words of the page, with who made the change and the commands. */
function showCause(cause: DriftCause, output: Output): void {
  const { severity, changedBy, commands, moreCommands, fix } = cause;

  output.text(`\n${severity}: ${describeCause(cause)}`);

  const accounts = listAccounts(cause.sample).map(getLastName);
  const more = cause.accounts - accounts.length;
  if (cause.accounts > 1) output.text(`  Affects ${accounts.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`);

  if (changedBy) {
    const { name, objectId, client, on } = changedBy;
    output.text(`  Changed by ${name ?? objectId ?? client ?? 'an unknown caller'}, ${formatAge(on, new Date())}.`);
  }

  if (commands.length === 0) output.text(`  ${fix}`);
  for (const command of commands) output.text(`  ${command}`);
  if (moreCommands > 0) output.text(`  ${formatCount(moreCommands, 'more command')}: cmk drift --expand`);
}

function rowsOf({ keys, pauses, rotations, drift }: WholeNow): Row[] {
  const underWay = [...(rotations.value?.underWay ?? []), ...(keys.value?.notBegun ?? [])];
  const causes = (drift.value?.report?.causes ?? []).filter(({ severity }) => severity !== 'advice');
  const row = (part: string, about: string | undefined, state: string, detail: string): Row => {
    return { part, about, state, detail };
  };

  return [
    ...(keys.value?.revoked ?? []).map(({ key, revocation: { revokedOn, revokedBy } }) =>
      row('keys', nameOf(key), 'revoked', `since ${revokedOn} by ${revokedBy}`),
    ),
    ...underWay.map(({ key, state, moved = 0, waiting = 0, failed = 0 }) =>
      row('rotations', nameOf(key), state, `${moved} moved, ${waiting} waiting, ${failed} failed`),
    ),
    ...(pauses.value ?? []).map(({ key, ...pause }) =>
      row('pauses', key === undefined ? 'all keys' : nameOf(key), 'paused', formatPause(pause)),
    ),
    ...causes.map((cause) => {
      const { severity, reason, about, commands } = cause;
      const told = row(
        'drift',
        formatCauseLabel({ about }) || undefined,
        severity,
        `${reason}: ${describeCause(cause)}`,
      );
      return { ...told, command: commands[0], cause };
    }),
  ];
}

function nameOf(key: string): string {
  return formatIdentifier(key) ?? key;
}
