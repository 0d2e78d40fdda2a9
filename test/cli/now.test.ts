import { expect, it } from 'vitest';
import { showNow } from '../../src/cli/commands/now.ts';
import { Output } from '../../src/cli/terminal/output.ts';

const AT = '2026-11-27T00:00:00.000Z';
const STORAGE = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts';
const CAUSE = {
  id: 'a',
  reason: 'NoLongerCustomerManaged',
  severity: 'error',
  about: [],
  affected: 2,
  accounts: 2,
  sample: [`${STORAGE}/stfiles01`, `${STORAGE}/stfiles02`],
  is: 'It uses Microsoft-managed keys.',
  fix: 'Encrypt it again.',
  commands: ['cmk account enable stfiles01 --vault kv-files --key files-key'],
  moreCommands: 1,
  changedBy: { name: 'operator@contoso.example', on: AT },
};

it('cmk now prints the accounts of each cause, who made the change, and the command, uncut in a narrow terminal', () => {
  let out = '';
  const write = (text: string): void => {
    out += text;
  };
  const sink = { write, isTTY: true, columns: 40 };
  const now = { line: 'Bad.', tone: 'bad', fleet: {}, keys: {}, pauses: {}, rotations: {} };
  const drift = { value: { report: { startedOn: AT, causes: [CAUSE] } } };

  showNow({ ...now, drift } as unknown as Parameters<typeof showNow>[0], new Output('terminal', sink, sink, {}));

  expect(out).toContain('\n  Affects stfiles01, stfiles02.\n');
  expect(out).toContain('\n  Changed by operator@contoso.example, 2026-11-27T00:00:00.000Z (');
  expect(out).toContain(`\n  ${CAUSE.commands[0]}\n  1 more command: cmk drift --expand\n`);
});
