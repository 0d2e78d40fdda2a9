import { getAccountName } from '../../azure/resource-id.ts';
import { KEY_HISTORY, type KeyHistory, type VersionHistory } from '../../evidence/key-history.ts';
import type { CmkCommand } from '../terminal/command.ts';
import type { Output } from '../terminal/output.ts';

export function addKeyHistory(command: CmkCommand): void {
  command
    .description('each version: who made it, which accounts moved to it and when, late ones, who disabled it')
    .readsApp(async ({ app }, _, name) => {
      const key = await command.cli.key(name);
      return app.get(`/keys/${key.vault.name}/${key.name}/history`, KEY_HISTORY);
    }, showHistory);
}

function showHistory({ versions, since, whole }: KeyHistory, output: Output): void {
  output.list<VersionHistory>(
    [
      ['VERSION', ({ version }) => ({ full: version, short: version.slice(0, 8) })],
      ['STATE', ({ state }) => state ?? 'not in the vault'],
      ['CREATED', ({ createdOn }) => short(createdOn)],
      ['BY', ({ created }) => (created ? nameOf(created) : 'unknown')],
      ['FIRST', (of) => formatMove(of, of.first)],
      ['LAST', (of) => formatMove(of, of.last)],
      ['BY APP', (of) => countOf(of, of.moved)],
      ['BY AZURE', (of) => countOf(of, of.pickedUp)],
      ['LATE', ({ late, complete }) => (late && (complete || late.length > 0) ? late.length : 'unknown')],
      ['DISABLED', ({ changes }) => changes.map((one) => `${one.did} ${one.on} by ${nameOf(one)}`).join('; ')],
      ['EITHER', (of) => countOf(of, of.perhapsMoved), 'wide'],
      ['WHY', ({ created, changes }) => [created, ...changes].flatMap((one) => one?.why ?? []).join('; '), 'wide'],
      [
        'TICKET',
        ({ created, changes }) => [created, ...changes].flatMap((one) => one?.ticket ?? []).join('; '),
        'wide',
      ],
      [
        'LATE ACCOUNTS',
        ({ late = [] }) => late.map((one) => `${getAccountName(one.account)} ${one.on}`).join('; '),
        'wide',
      ],
    ],
    versions,
  );

  const from = since === undefined ? 'has no records' : `is known from ${since}`;
  output.notes([
    `The audit trail ${from}${whole ? '' : ', where the app ended its read'}. Earlier events are unknown.`,
  ]);
}

function nameOf({ by }: Pick<VersionHistory['changes'][number], 'by'>): string {
  return by ? (by.name ?? by.objectId ?? 'unknown') : 'the app';
}

/** A count is a minimum if the app did not read the whole life of the version. */
function countOf({ complete }: VersionHistory, count: number): string {
  if (complete) return String(count);
  return count === 0 ? 'unknown' : `${count} or more`;
}

function formatMove({ complete }: VersionHistory, move: VersionHistory['first']) {
  if (!move) return complete ? undefined : 'unknown';
  const place = [getAccountName(move.account), ...(move.scope === undefined ? [] : [move.scope])].join('/');
  return { full: `${move.on} ${place}`, short: `${move.on.slice(0, 16)}Z ${place}` };
}

function short(time: string | undefined) {
  return time === undefined ? undefined : { full: time, short: time.slice(0, 10) };
}
