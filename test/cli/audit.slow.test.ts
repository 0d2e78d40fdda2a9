import { beforeEach, describe, expect, it } from 'vitest';
import { createAppStorage } from '../../local/run/app-storage-client.ts';
import { isTrailMatch } from '../../src/audit/trail-filter.ts';
import { useAzurite } from '../support/azurite.ts';
import { useProcedures } from '../support/procedures.ts';
import { runCmk } from '../support/run-cmk.ts';

const procedures = useProcedures();
const azurite = useAzurite();
const env = () => ({ AzureWebJobsStorage: azurite.connectionString });
const cmk = (args: readonly string[]) => runCmk(procedures, args, { env: env() });

beforeEach(() => createAppStorage(azurite.connectionString));

describe('a change by the command line', () => {
  it('A change by the command line is recorded with caller, reason, ticket, and the values before and after', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const why = ['--reason', 'Held for an audit', '--ticket', 'CHG-7'];

    expect(await cmk(['account', 'pin', account.name, ...why])).toMatchObject({ code: 0 });
    expect(await cmk(['key', 'ensure', 'second', '--vault', site.vault.name])).toMatchObject({ code: 0 });

    const { code, out } = await cmk(['audit', 'list', '--account', account.name, '-o', 'json']);
    expect(code).toBe(0);

    const records = JSON.parse(out).result;
    expect(records).toHaveLength(1);

    const key = `https://${site.vault.name}.vault.azure.net/keys/${site.key}`;
    const details = { command: 'account pin', why: 'Held for an audit', ticket: 'CHG-7', from: key };

    expect(records[0]).toMatchObject({
      intact: true,
      entry: {
        action: 'account.setKey',
        reason: 'OperatorChanged',
        resource: account.id,
        caller: { appId: 'cmk', objectId: expect.any(String) },
        details: { ...details, to: `${key}/${site.version.version}` },
      },
    });

    const shown = await cmk(['audit', 'show', records[0].id]);
    expect(shown).toMatchObject({ code: 0, out: expect.stringContaining('"why": "Held for an audit"') });

    const history = await cmk(['audit', 'list', '--account', account.name]);
    expect(history.out).toMatch(/^\S+\taccount\.setKey\t\S+\t\S+\tHeld for an audit\n$/);

    const csv = await cmk(['audit', 'list', '--key', `${site.vault.name}/second`, '-o', 'csv', '--wide']);
    const [head, ...rows] = csv.out.trim().split('\n');

    expect(head).toBe('time,action,resource,by,why,from,to,reason,ticket,number,object_id,kind,found_in,intact');
    expect(rows.map((row) => row.split(',')[1])).toEqual(['key.create', 'key.setPolicy']);
    expect((await cmk(['audit', 'verify'])).code).toBe(0);

    const of = async (...filter: string[]) => {
      const listed = await cmk(['audit', 'list', ...filter, '-o', 'json', '--query', 'result[].entry.action']);
      return JSON.parse(listed.out);
    };
    const created = ['--vault', site.vault.name, '--action', 'key'];

    expect(await of(...created)).toEqual(['key.create', 'key.setPolicy']);
    expect(await of(...created, '--until', '2020-01-01')).toEqual([]);
    expect((await cmk(['audit', 'list', '--until', 'soon'])).err).toMatch(/--until "soon" is neither/);
  });

  it('A change by the command line that precedes an error is recorded, and a dry run is not', async () => {
    const { vault } = procedures.site();
    const match = { host: `${vault.name}.vault.azure.net`, method: 'PUT', path: '/rotationpolicy' };
    const answer = { status: 400, body: { error: { code: 'BadParameter', message: 'No.' } } };
    procedures.local.faults.add([{ match, answer }]);
    expect((await cmk(['key', 'ensure', 'broken', '--vault', vault.name, '--dry-run'])).code).toBe(0);
    expect((await cmk(['key', 'ensure', 'broken', '--vault', vault.name])).code).toBe(3);
    const about = ['--key', `${vault.name}/broken`, '-o', 'json', '--query', 'result[].entry.action'];
    const { out } = await cmk(['audit', 'list', ...about]);
    expect(JSON.parse(out)).toEqual(['key.create']);
  });

  it('A change by the command line is made even if the trail cannot be written, and the output says so', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const nowhere = azurite.connectionString.replace(/(BlobEndpoint=http:\/\/127\.0\.0\.1):\d+/, '$1:9');
    const options = { env: { AzureWebJobsStorage: nowhere } };
    const out = expect.stringMatching(/note\tNot in the audit trail: .* pinned to/);
    expect(await runCmk(procedures, ['account', 'pin', account.name], options)).toMatchObject({ code: 0, out });
  });

  it.each([
    [['audit', 'list', '--since', 'yesterday'], /neither a date nor a duration/],
    [['audit', 'list', '--limit', '0'], /The value must be 1 to 1000000/],
    [['audit', 'show', '99999999'], /has no (?:record|audit trail)/],
  ])('The command line rejects the arguments %j', async (args, message) => {
    expect((await cmk(args)).err).toMatch(message);
  });
});

describe('a filter of cmk audit list', () => {
  const caller = { objectId: '11111111-aaaa', appId: 'cmk', name: 'Ada' };
  const account = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1';
  const key = 'https://kv-files.vault.azure.net/keys/files-key';

  const record = {
    time: '2026-11-24T12:00:00.000Z',
    entry: { action: 'account.move', reason: 'Moved', resource: account, caller, details: { key } },
  };

  it.each([
    [{}, true],
    [{ account: 'st1' }, true],
    [{ account: 'ST1' }, true],
    [{ account: 'st' }, false],
    [{ account: account.toUpperCase() }, true],
    [{ key: 'files-key' }, true],
    [{ key: 'kv-files/files-key' }, true],
    [{ key: 'kv-file/files-key' }, false],
    [{ key: 'kv-files/files' }, false],
    [{ key }, true],
    [{ by: 'ada' }, true],
    [{ by: '11111111-AAAA' }, true],
    [{ by: 'app' }, false],
    [{ since: new Date('2026-11-24T12:00:00Z') }, true],
    [{ since: new Date('2026-11-24T12:00:01Z') }, false],
    [{ account: 'st1', by: 'bob' }, false],
  ])('The filter %j of cmk audit list matches the record: %s', (filter, expected) => {
    expect(isTrailMatch(record, filter)).toBe(expected);
  });
});
