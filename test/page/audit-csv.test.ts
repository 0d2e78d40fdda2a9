import { expect, it } from 'vitest';
import { auditCsv } from '../../page/src/views/audit-csv.ts';

it('The CSV of audit records has the columns of the command line, and no cell is a formula', () => {
  const record = { seq: 7, id: 'r7', time: '2026-11-24T12:00:00.000Z', hash: 'h', intact: true, file: 'f' };

  const entry = {
    action: 'key.revoke',
    reason: 'Revoked',
    resource: 'https://kv-files.vault.azure.net/keys/files-key',
    caller: { objectId: 'o', appId: 'a', kind: 'person' as const },
    details: { why: '=HYPERLINK("https://evil.example")', ticket: 'A, "B"', before: null, after: { n: 1 } },
  };

  const [head, row] = auditCsv([{ ...record, entry }]).split('\r\n');
  expect(head).toBe('time,action,resource,by,why,from,to,reason,ticket,number,object_id,kind,found_in,intact');
  expect(row).toBe(
    `${record.time},key.revoke,${entry.resource},o,"'=HYPERLINK(""https://evil.example"")",,"{""n"":1}",Revoked,"A, ""B""",7,o,person,,true`,
  );
});

it('The CSV marks a reason that a queue message gave, and names the place where the record was found', () => {
  const details = { why: 'A laptop was stolen', ticket: 'INC-1', claimed: {}, foundIn: 'key-work' };
  const entry = { action: 'key.revoke', reason: 'Revoked', resource: 'r', details };
  const record = { seq: 7, id: 'r7', time: 't', hash: 'h', intact: true, file: 'f', entry };
  const [, row] = auditCsv([record]).split('\r\n');
  expect(row).toBe(
    't,key.revoke,r,the app,A laptop was stolen (unverified),,,Revoked,INC-1 (unverified),7,,,key-work,true',
  );
});
