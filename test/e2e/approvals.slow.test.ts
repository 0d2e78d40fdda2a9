import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Principal } from '../../local/azure/world.ts';
import { approvalId, type RestoreApproval } from '../../src/approvals/approval.ts';
import { enabledOf, keyOf, revocationOn } from '../break-glass/break-glass-fixture.ts';
import { type Answer, type RunningApp, signIn } from '../break-glass/running-app.ts';
import { useApps } from '../break-glass/use-running-app.ts';
import { recordsOf } from '../support/app.ts';
import { auditEntries, auditLines } from '../support/audit-lines.ts';
import { eventually } from '../support/eventually.ts';
import type { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const startApp = useApps(wire);
let app: RunningApp;

beforeAll(async () => {
  app = await startApp({ CMK_APPROVALS: 'restore:2' });
});

/** A person of the tenant with every role. */
function colleague(name: string): Principal {
  const known = [...wire.azure.world.principals.values()].find(({ displayName }) => displayName === name);
  const person: Principal = known ?? {
    displayName: name,
    clientId: randomUUID(),
    objectId: randomUUID(),
    secret: '',
    kind: 'user',
    appRoles: ['CmkKey.Read', 'CmkKey.Revoke', 'CmkKey.Restore'],
  };
  wire.azure.world.principals.set(person.clientId, person);
  return person;
}

const tokenOf = (name: string) => ({ token: wire.azure.tokens.issue(colleague(name), 'api://cmk-autopilot').token });
const post = (path: string, who: string, body?: unknown, to = app) =>
  to.call(path, { as: tokenOf(who), method: 'POST', ...(body === undefined ? {} : { body }) });
const nameOf = (key: TestKey): string => `${key.vault.name}/${key.name}`;

const revoke = (key: TestKey, who = 'revoker') =>
  post(`/keys/${nameOf(key)}/revoke`, who, { reason: 'A laptop was stolen', confirm: nameOf(key) });
const restore = (key: TestKey, who: string, revocation = revocationOn(key), to = app) =>
  post(`/keys/${nameOf(key)}/restore`, who, { reason: 'The laptop is back', ticket: 'INC-1', revocation }, to);
const approve = (id: string, who: string) => post(`/approvals/${id}/approve`, who);
const withdraw = (id: string, who: string) => app.call(`/approvals/${id}`, { as: tokenOf(who), method: 'DELETE' });
const outcome = ({ status, body }: Answer): string => `${status} ${body.reason ?? approvalOf(body).state}`;

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly outcome?: string;
  readonly approvedBy: readonly { readonly objectId: string }[];
}
function approvalOf(body: Answer['body']): Shown {
  return body.approval as Shown;
}

async function asked(key: TestKey, who = 'restorer'): Promise<string> {
  const answer = await restore(key, who);
  expect(answer, answer.text).toMatchObject({ status: 202, body: { reason: 'ApprovalNeeded' } });
  return approvalOf(answer.body).id;
}

describe('a restore that others have to approve', () => {
  it('is carried out once, when two others have approved it, exactly as it was asked for', async () => {
    const key = keyOf(wire.azure, 2);
    expect(outcome(await revoke(key))).toBe('200 Revoked');
    const id = await asked(key);
    expect(enabledOf(key)).toEqual([false, false]);

    expect(outcome(await approve(id, 'operator'))).toBe('200 waiting');
    expect(enabledOf(key)).toEqual([false, false]);
    const last = await approve(id, 'second-operator');
    expect(outcome(last)).toBe('200 done');
    expect(last.body.restore).toMatchObject({ reason: 'Restored', complete: true, audit: 'written' });
    expect(enabledOf(key)).toEqual([true, true]);

    expect(outcome(await approve(id, 'dave'))).toBe('409 ApprovalOver');
    const { body } = await app.call('/approvals', { as: tokenOf('operator') });
    expect((body.value as Shown[]).find((one) => one.id === id)).toMatchObject({ state: 'done', outcome: 'Restored' });
    const records = await eventually('the last approval is logged', () => {
      const found = recordsOf(app.output().split('\n')).filter((record) => record.approval === id);
      return found.length > 2 && found;
    });
    expect(records.map(({ reason }) => reason)).toEqual(['ApprovalAsked', 'ApprovalGiven', 'ApprovalGiven']);
    const trail = (await auditLines(wire.connectionString)).join('\n');
    expect(trail).toContain(`"approval":{"id":"${id}","approvedBy":[{"objectId":"${colleague('operator').objectId}"`);
    expect(trail).toContain('"action":"approval.ask"');
    expect(
      trail.split('\n').filter((line) => line.includes('"action":"approval.approve"') && line.includes(id)),
    ).toHaveLength(2);
  });

  it.each<[string, string, string]>([
    ['whoever asked', 'restorer', '403 ApproverIsAsker'],
    ['whoever revoked', 'carol', '403 ApproverIsRevoker'],
    ['an application with the role', 'robot', '403 PersonNeeded'],
    ['somebody without the role', 'outsider', '403 RoleMissing'],
  ])('is not approved by %s', async (_, who, refused) => {
    const key = keyOf(wire.azure, 1);
    await revoke(key, 'carol');
    const id = await asked(key);
    expect(outcome(await approve(id, who))).toBe(refused);
    expect(outcome(await approve(id, 'operator'))).toBe('200 waiting');
    expect(outcome(await approve(id, 'operator'))).toBe('409 ApprovedAlready');
    expect(enabledOf(key)).toEqual([false]);
  });

  it('is told beside the key that it is about, and beside no other', async () => {
    const [key, other] = [keyOf(wire.azure, 1), keyOf(wire.azure, 1)];
    for (const one of [key, other]) await revoke(one);
    const id = await asked(key);
    // An answer waits for them no longer than a moment.
    const told = (path: string, headers = {}) =>
      eventually('what is asked for is told', async () => {
        const answer = await app.call(path, { as: tokenOf('revoker'), headers });
        const { value, reading } = answer.body.approvals as { value?: readonly Shown[]; reading?: true };
        return (
          !reading && value && { ids: value.map((one) => one.id), states: value.map(({ state }) => state), ...answer }
        );
      });
    const path = `/keys/${nameOf(key).toUpperCase()}`;
    const before = await told(path);
    expect(before).toMatchObject({ ids: [id], states: ['waiting'] });
    expect((await told(`/keys/${nameOf(other)}`)).ids).toEqual([]);
    expect((await told('/keys')).ids).toContain(id);
    await withdraw(id, 'restorer');
    expect(await told(path, { 'if-none-match': before.headers.get('etag') ?? '' })).toMatchObject({
      status: 200,
      states: ['withdrawn'],
    });
  });

  it('is logged with its id and key, also when it is refused', async () => {
    const key = keyOf(wire.azure, 1);
    await revoke(key);
    const id = await asked(key);
    await approve(id, 'restorer');
    await withdraw(id, 'operator');
    await approve(id, 'operator');
    await approve(id, 'outsider');
    const asking = { action: 'restore', vault: 'kv-files', key: key.name, revocation: 'beef', reason: 'Found' };
    await post('/approvals', 'restorer', asking);
    const known = { id, key: nameOf(key) };
    const records = await eventually('the last call is logged', () => {
      const calls = recordsOf(app.output().split('\n')).filter(({ reason }) => /^Call/.test(String(reason)));
      const last = calls.at(-1);
      return last?.key === nameOf(key) && last.because === 'OtherRevocation' && calls.slice(-5);
    });
    expect(records).toEqual(
      [
        { ...known, because: 'ApproverIsAsker', caller: colleague('restorer').objectId },
        { ...known, because: 'NotTheAsker', caller: colleague('operator').objectId },
        { ...known, reason: 'CallAnswered', caller: colleague('operator').objectId },
        // Who has no such role is told that before anything is looked at.
        { id, because: 'RoleMissing', caller: colleague('outsider').objectId },
        { key: nameOf(key), because: 'OtherRevocation', caller: colleague('restorer').objectId },
      ].map((record) => expect.objectContaining(record)),
    );
  });

  it('is taken back by whoever asked, and then nobody approves it', async () => {
    const key = keyOf(wire.azure, 1);
    await revoke(key);
    const id = await asked(key);
    expect(outcome(await withdraw(id, 'operator'))).toBe('403 NotTheAsker');
    expect(outcome(await withdraw(id, 'restorer'))).toBe('200 withdrawn');
    expect(outcome(await approve(id, 'operator'))).toBe('409 ApprovalOver');
    const lines = (await auditLines(wire.connectionString)).filter((line) => line.includes(id));
    expect(lines.find((line) => line.includes('"action":"approval.withdraw"'))).toContain(
      colleague('restorer').objectId,
    );
  });

  it('expires', async () => {
    const key = keyOf(wire.azure, 1);
    await revoke(key);
    const kept = await blobOf(await asked(key));
    const expired = { ...kept, expiresOn: new Date(Date.now() - 1_000).toISOString() };
    const id = approvalId(expired);
    await putBlob(id, { ...expired, id });
    expect(outcome(await approve(id, 'operator'))).toBe('409 ApprovalExpired');
    expect(outcome(await withdraw(id, 'restorer'))).toBe('409 ApprovalExpired');
  });

  it('is recorded by a message, once, where whoever asked was ended before that', async () => {
    const key = keyOf(wire.azure, 1);
    await revoke(key);
    const kept = await blobOf(await asked(key));
    const cutOff = { ...kept, askedOn: new Date(Date.parse(kept.askedOn) - 1_000).toISOString() };
    const id = approvalId(cutOff);
    const { askedBy: caller, askedOn: on, needed } = cutOff;
    const unrecorded = [{ reason: 'ApprovalAsked', on, caller, correlationId: 'call-1', needed, given: 0 }];
    await putBlob(id, { ...cutOff, id, unrecorded });
    const message = { kind: 'approval', approval: id, cause: { by: 'approval', ref: id, since: on } };
    for (let n = 0; n < 3; n += 1) await wire.queues.getQueueClient('key-work').sendMessage(JSON.stringify(message));
    await eventually('nothing is left to be recorded', async () => !('unrecorded' in (await blobOf(id))));
    const entries = (await auditEntries(wire.connectionString)).filter(({ details }) => details?.approval === id);
    const told = { action: 'approval.ask', caller, correlationId: 'call-1', details: { foundIn: 'cmk-approvals' } };
    expect(entries).toMatchObject([told]);
    expect(outcome(await approve(id, 'operator'))).toBe('200 waiting');
    const { body } = await app.call('/approvals', { as: tokenOf('operator') });
    expect((body.value as Shown[]).find((one) => one.id === id)).not.toHaveProperty('unrecorded');
  });

  it('is not carried out once somebody has written to the storage what else it should be', async () => {
    const [key, other] = [keyOf(wire.azure, 1), keyOf(wire.azure, 1)];
    await revoke(key);
    await revoke(other);
    const id = await asked(key);
    expect(outcome(await approve(id, 'operator'))).toBe('200 waiting');
    const kept = await blobOf(id);
    await putBlob(id, { ...kept, key: other.name, revocation: revocationOn(other) });
    expect(outcome(await approve(id, 'second-operator'))).toBe('409 ApprovalAltered');
    const { body } = await app.call('/approvals', { as: tokenOf('operator') });
    expect((body.value as Shown[]).map((one) => one.id)).not.toContain(id);
    expect([...enabledOf(key), ...enabledOf(other)]).toEqual([false, false]);
    await putBlob(id, kept);
    expect(outcome(await approve(id, 'second-operator'))).toBe('200 done');
    // Put back to where it waited, it does nothing more: that revocation is over, and another one is not meant.
    await putBlob(id, kept);
    await revoke(key, 'carol');
    expect(outcome(await approve(id, 'second-operator'))).toBe('409 OtherRevocation');
    expect(enabledOf(key)).toEqual([false]);
  });

  it('is not approved by the id of another, in whose place somebody has put it in the storage', async () => {
    const [harmless, precious] = [keyOf(wire.azure, 1), keyOf(wire.azure, 1)];
    await revoke(harmless);
    await revoke(precious);
    const [id, other] = [await asked(harmless), await asked(precious)];
    expect(outcome(await approve(other, 'operator'))).toBe('200 waiting');
    const kept = await blobOf(id);
    await putBlob(id, await blobOf(other));
    expect(outcome(await approve(id, 'second-operator'))).toBe('409 ApprovalAltered');
    expect(outcome(await withdraw(id, 'restorer'))).toBe('409 ApprovalAltered');
    expect([...enabledOf(harmless), ...enabledOf(precious)]).toEqual([false, false]);
    const { body } = await app.call('/approvals', { as: tokenOf('operator') });
    expect((body.value as Shown[]).filter((one) => one.id === other)).toHaveLength(1);
    await putBlob(id, kept);
    expect(outcome(await approve(id, 'operator'))).toBe('200 waiting');
  });

  it('is not approved by whoever asked, by another client, nor by their token in another case', async () => {
    const key = keyOf(wire.azure, 1);
    await revoke(key);
    const id = await asked(key);
    const restorer = colleague('restorer');
    const clientId = 'c1100000-0000-4000-8000-00000000beef';
    for (const claims of [{}, { oid: restorer.objectId.toUpperCase() }]) {
      const as = wire.azure.tokens.issue(restorer, 'api://cmk-autopilot', { clientId, claims });
      const answer = await app.call(`/approvals/${id}/approve`, { as, method: 'POST' });
      expect(outcome(answer)).toBe('403 ApproverIsAsker');
    }
  });

  it('is carried out once, whichever instance hears the approvals, and whoever takes it back at the same moment', async () => {
    const second = await startApp({ CMK_APPROVALS: 'restore:2' });
    try {
      const key = keyOf(wire.azure, 1);
      await revoke(key);
      const id = await asked(key);
      const path = `/approvals/${id}`;
      const answers = await Promise.all([
        ...['operator', 'second-operator', 'dave', 'erin'].map((who, n) =>
          post(`${path}/approve`, who, undefined, n % 2 === 0 ? app : second),
        ),
        second.call(path, { as: tokenOf('restorer'), method: 'DELETE' }),
      ]);
      const taken = approvalOf(answers[4]?.body ?? ({} as Answer['body']))?.state === 'withdrawn';
      const done = answers.filter(({ body }) => body.restore).length;
      expect(done, answers.map(({ text }) => text.slice(0, 200)).join('\n')).toBe(taken ? 0 : 1);
      expect(enabledOf(key)).toEqual([!taken]);
    } finally {
      await second.stop();
    }
  });

  it('is not carried out when the key was revoked anew since: that is another revocation', async () => {
    const key = keyOf(wire.azure, 1);
    await revoke(key);
    const id = await asked(key);
    await approve(id, 'operator');
    await revoke(key, 'carol');
    const last = await approve(id, 'second-operator');
    expect(outcome(last)).toBe('409 OtherRevocation');
    expect(enabledOf(key)).toEqual([false]);
    expect(outcome(await approve(id, 'dave'))).toBe('409 ApprovalOver');
  });

  it('whose carrying out was cut off is asked for anew, and is not carried out a second time', async () => {
    const key = keyOf(wire.azure, 1);
    await revoke(key);
    const id = await asked(key);
    await approve(id, 'operator');
    const kept = await blobOf(id);
    const lastOn = (ms: number) =>
      kept.approvedBy.map((one) => ({ ...one, on: new Date(Date.now() - ms).toISOString() }));
    const stateOf = async () => {
      const { body } = await app.call('/approvals', { as: tokenOf('operator') });
      return (body.value as Shown[]).find((one) => one.id === id)?.state;
    };
    await putBlob(id, { ...kept, state: 'running', approvedBy: lastOn(60_000) });
    expect(await stateOf()).toBe('running');
    await putBlob(id, { ...kept, state: 'running', approvedBy: lastOn(11 * 60_000) });
    expect(await stateOf()).toBe('unknown');
    expect(outcome(await approve(id, 'second-operator'))).toBe('409 ApprovalOver');
    expect(outcome(await withdraw(id, 'restorer'))).toBe('409 ApprovalOver');
    expect(enabledOf(key)).toEqual([false]);

    const anew = await asked(key);
    expect(anew).not.toBe(id);
    await approve(anew, 'operator');
    expect(outcome(await approve(anew, 'second-operator'))).toBe('200 done');
    expect(enabledOf(key)).toEqual([true]);
  });

  it('is carried out once by two who are the last at the same moment', async () => {
    const key = keyOf(wire.azure, 1);
    await revoke(key);
    const id = await asked(key);
    const answers = await Promise.all(['operator', 'second-operator', 'dave', 'erin'].map((who) => approve(id, who)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 409, 409]);
    expect(answers.filter(({ body }) => body.restore)).toHaveLength(1);
    expect(enabledOf(key)).toEqual([true]);
  });

  it('is one request when it is asked for again, and is not asked for by whoever revoked, nor for what is not there', async () => {
    const key = keyOf(wire.azure, 1);
    await revoke(key, 'carol');
    expect(await asked(key)).toBe(await asked(key));
    expect(outcome(await restore(key, 'carol'))).toBe('403 SecondPersonNeeded');
    expect(outcome(await restore(key, 'restorer', 'beef'))).toBe('409 OtherRevocation');
    expect(outcome(await restore(key, 'robot'))).toBe('403 PersonNeeded');
    const body = {
      action: 'restore',
      vault: 'kv-files',
      key: key.name,
      revocation: revocationOn(key),
      reason: 'Found',
    };
    expect((await post('/approvals', 'restorer', body)).status).toBe(202);
    expect(outcome(await post('/approvals', 'restorer', { ...body, vault: 'kv-other', key: 'other-key' }))).toBe(
      '404 KeyNotManaged',
    );
    expect(outcome(await approve('no-such-id', 'operator'))).toBe('404 ApprovalNotFound');
    expect(outcome(await approve(randomUUID().replaceAll('-', ''), 'operator'))).toBe('404 ApprovalNotFound');
  });

  it('does not make a revocation wait', async () => {
    const key = keyOf(wire.azure, 1);
    expect(outcome(await revoke(key))).toBe('200 Revoked');
  });
});

it('without the storage that requests are kept in, the answer says how to restore past it', async () => {
  const key = keyOf(wire.azure, 1);
  await revoke(key);
  const far = wire.connectionString.replace(/(127\.0\.0\.1:)\d+/g, '$19');
  const without = await startApp({ CMK_APPROVALS: 'restore:1' }, far);
  try {
    const answer = await restore(key, 'restorer', revocationOn(key), without);
    expect(outcome(answer)).toBe('503 ServiceUnavailable');
    expect(answer.body.nextStep).toContain('cmk key restore');
    expect(enabledOf(key)).toEqual([false]);
  } finally {
    await without.stop();
  }
});

it('where nothing is to be approved, nothing is asked for', async () => {
  const plain = await startApp();
  try {
    const key = keyOf(wire.azure, 1);
    await revoke(key);
    const body = {
      action: 'restore',
      vault: 'kv-files',
      key: key.name,
      revocation: revocationOn(key),
      reason: 'Found',
    };
    expect(outcome(await post('/approvals', 'restorer', body, plain))).toBe('409 ApprovalNotNeeded');
    expect(signIn(wire.azure, 'restorer').kind).toBe('user');
  } finally {
    await plain.stop();
  }
});

const approvalBlob = (id: string) =>
  BlobServiceClient.fromConnectionString(wire.connectionString)
    .getContainerClient('cmk-approvals')
    .getBlockBlobClient(`${id}.json`);

/** By one request: the app may write a shorter one after it was asked how long it is. */
async function blobOf(id: string): Promise<RestoreApproval> {
  const { readableStreamBody } = await approvalBlob(id).download();
  return JSON.parse(await text(readableStreamBody as NodeJS.ReadableStream));
}

async function putBlob(id: string, request: object): Promise<void> {
  const text = JSON.stringify(request);
  await approvalBlob(id).upload(text, Buffer.byteLength(text));
}

describe('a pause that others have to approve', () => {
  let pausing: RunningApp;
  beforeAll(async () => {
    pausing = await startApp({ CMK_APPROVALS: 'pause:1' });
  });
  afterAll(async () => {
    await post('/resume', 'operator', { reason: 'The test is over' }, pausing);
    await pausing?.stop();
  });

  it('is carried out once another operator has approved it, and then never again', async () => {
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const body = { reason: 'The storage team migrates', ticket: 'CHG-7', until, key: 'kv-records/records-key' };
    const answer = await post('/pause', 'operator', body, pausing);
    expect(answer, answer.text).toMatchObject({ status: 202, body: { reason: 'ApprovalNeeded' } });
    const { id } = approvalOf(answer.body);
    const status = () => pausing.call('/keys/kv-records/records-key', { as: 'operator' });
    expect((await status()).body.paused).toBeUndefined();
    expect(approvalOf((await post('/pause', 'operator', body, pausing)).body).id).toBe(id);

    const approve = (who: string) => post(`/approvals/${id}/approve`, who, undefined, pausing);
    expect(outcome(await approve('operator'))).toBe('403 ApproverIsAsker');
    expect(outcome(await approve('restorer'))).toBe('403 RoleMissing');
    expect(outcome(await approve('outsider'))).toBe('403 RoleMissing');
    const done = await approve('second-operator');
    expect(outcome(done), done.text).toBe('200 done');
    expect((await status()).body.paused).toMatchObject({
      reason: body.reason,
      by: signIn(wire.azure, 'operator').objectId,
    });
    expect((await auditLines(wire.connectionString)).join('\n')).toContain(
      `"approval":{"id":"${id}","approvedBy":[{"objectId"`,
    );

    expect((await post('/resume', 'operator', { reason: 'It is over', key: body.key }, pausing)).status).toBe(200);
    expect(outcome(await approve('second-operator'))).toBe('409 ApprovalOver');
    expect((await status()).body.paused).toBeUndefined();
  });

  it('is asked for with words that can be read, until a time to come, of a key that is managed', async () => {
    const pause = (body: object) => post('/pause', 'operator', { reason: 'Migration', ...body }, pausing);
    expect(outcome(await pause({ reason: 'lost \u202edetser' }))).toBe('400 BodyInvalid');
    expect(outcome(await pause({ until: '2020-01-01T00:00:00Z' }))).toBe('400 BodyInvalid');
    expect(outcome(await pause({ key: 'kv-other/other-key' }))).toBe('404 KeyNotManaged');
  });

  it('does not make a revocation or a restore wait', async () => {
    const key = keyOf(wire.azure, 1);
    const named = { reason: 'A laptop was stolen', confirm: nameOf(key) };
    expect(outcome(await post(`/keys/${nameOf(key)}/revoke`, 'revoker', named, pausing))).toBe('200 Revoked');
    expect(outcome(await restore(key, 'restorer', revocationOn(key), pausing))).toBe('200 Restored');
  });
});
