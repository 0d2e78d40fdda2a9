import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { useAzurite } from '../support/azurite.ts';
import { indexed } from '../support/indexed.ts';
import { useProcedures } from '../support/procedures.ts';
import { onTerminal } from '../support/terminal.ts';

const procedures = useProcedures();
/** What colours: anything that styles what comes after it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what a terminal is told a colour with
const COLOUR = /\u001b\[\d[\d;]*m/;

/** The lines that were shown, without what only the terminal acts on. */
const linesOf = (shown: string) => stripVTControlCharacters(shown).split(/\r*\n/);

const azurite = useAzurite();

function fleet() {
  const site = procedures.site();
  return { site, account: procedures.encrypted(site) };
}

/** The same, as the index of an app has it. */
async function known() {
  const { site, account } = fleet();
  const env = await indexed(azurite.connectionString, procedures, site, [account]);
  return { site, account, env, list: `cmk account list --vault ${site.vault.name}` };
}

describe('a table on a terminal', () => {
  it('is as wide as the terminal', async () => {
    const { site, account, env, list } = await known();
    const terminal = onTerminal(procedures.local, list, { columns: 60, env });
    expect(await terminal.exit).toBe(0);
    const lines = linesOf(terminal.shown());
    expect(lines.filter((line) => line.length > 60)).toEqual([]);
    expect(lines[0]).toBe('1 account: 1 unknown.');
    expect(lines[2]).toMatch(/^ACCOUNT +KEY/);
    const text = lines.join('\n');
    expect(text).toContain(account.name);
    expect(text).toContain(site.version.version.slice(0, 8));
    expect(text).not.toContain(site.version.version);
  });

  it('has colours, and none with NO_COLOR', async () => {
    const { env, list } = await known();
    const coloured = onTerminal(procedures.local, list, { env });
    expect(await coloured.exit).toBe(0);
    expect(coloured.shown()).toMatch(COLOUR);
    const plain = onTerminal(procedures.local, list, { env: { ...env, NO_COLOR: '1' } });
    expect(await plain.exit).toBe(0);
    expect(plain.shown()).not.toMatch(COLOUR);
  });

  it('has neither colours nor a header in a pipe, and the exit code is that of the command', async () => {
    const { account, env, list } = await known();
    const terminal = onTerminal(procedures.local, `${list} | cat; exit \${PIPESTATUS[0]}`, { env });
    expect(await terminal.exit).toBe(0);
    expect(terminal.shown()).not.toMatch(COLOUR);
    expect(linesOf(terminal.shown())[0]).toMatch(new RegExp(`^${account.name}\t`));
  });
});

describe('Ctrl-C on a terminal', () => {
  it('at a question: exit code 130, and nothing is changed', async () => {
    const { site } = fleet();
    const line = `cmk key revoke ${site.key} --vault ${site.vault.name} --reason Stolen`;
    const terminal = onTerminal(procedures.local, line);
    await terminal.shows(/1 storage account with 1 file share[\s\S]*Type \S+ to continue/);
    terminal.type('\u0003');
    expect(await terminal.exit).toBe(130);
    expect(site.version.enabled).toBe(true);
    expect(terminal.shown()).toContain('Nothing was changed.');
  });
});
