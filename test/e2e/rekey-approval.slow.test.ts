import { randomUUID } from 'node:crypto';
import { BlobServiceClient } from '@azure/storage-blob';
import { beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import { type Answer, type RunningApp, tokenOf } from '../break-glass/running-app.ts';
import { useApps } from '../break-glass/use-running-app.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const startApp = useApps(wire);
let app: RunningApp;

beforeAll(async () => {
  const principal = wire.azure.world.principals.get(CLIENT_IDS.secondOperator)?.objectId;
  app = await startApp({
    CMK_APPROVALS: 'rekey:1',
    CMK_ROLE_SCOPES: JSON.stringify([{ role: 'Cmk.Operate', principal, keys: ['kv-files'] }]),
  });
});

type Who = 'operator' | 'second-operator' | 'restorer' | 'robot' | 'outsider';
const call = (path: string, who: Who, method: 'GET' | 'POST' | 'DELETE', body?: unknown): Promise<Answer> =>
  app.call(path, { as: { token: tokenOf(wire.azure, who) }, method, ...(body === undefined ? {} : { body }) });
const approve = (id: string, who: Who) => call(`/approvals/${id}/approve`, who, 'POST');
const nameOf = (key: TestKey): string => `${key.vault.name}/${key.name}`;
const ask = (from: TestKey, to: TestKey, who: Who = 'operator', query = '') =>
  call(`/rekeys${query}`, who, 'POST', { from: nameOf(from), to: nameOf(to), reason: 'It has leaked' });
const said = ({ status, body }: Answer): string => `${status} ${body.reason ?? (body.approval as Shown)?.state}`;
interface Shown {
  readonly id: string;
  readonly state: string;
}
const twoKeys = (vault = 'kv-files') => [new TestKey(wire.azure.world), new TestKey(wire.azure.world, vault)] as const;
const ids = ({ body }: Answer): string[] => (body.value as Shown[]).map(({ id }) => id);

/** With the role that it takes. */
function anApplication() {
  const [clientId, objectId] = [randomUUID(), randomUUID()];
  const principal = { displayName: objectId, clientId, objectId, secret: '', appRoles: ['Cmk.Operate'] };
  return wire.azure.tokens.issue({ ...principal, kind: 'application' }, 'api://cmk-autopilot');
}

async function asked(from: TestKey, to: TestKey): Promise<string> {
  const answer = await ask(from, to);
  expect(said(answer), answer.text).toBe('202 ApprovalNeeded');
  return (answer.body.approval as Shown).id;
}

describe('a re-key that another person has to approve', () => {
  it('starts once, exactly as it was asked for, when another has approved it', async () => {
    const [a, b] = twoKeys();
    const id = await asked(a, b);
    expect(await asked(a, b)).toBe(id);
    expect(ids(await call('/rekeys', 'operator', 'GET'))).not.toContain(id);
    expect(said(await approve(id, 'operator'))).toBe('403 ApproverIsAsker');
    expect(said(await approve(id, 'restorer'))).toBe('403 RoleMissing');
    expect(said(await approve(id, 'robot'))).toBe('403 RoleMissing');
    const pipeline = await app.call(`/approvals/${id}/approve`, { as: anApplication(), method: 'POST' });
    expect(said(pipeline)).toBe('403 ApproverIsApplication');
    expect(said(await approve(id, 'outsider'))).toBe('403 RoleMissing');

    const [given, late] = [await approve(id, 'second-operator'), await approve(id, 'second-operator')];
    expect(said(given), given.text).toBe('200 done');
    expect(said(late)).toBe('409 ApprovalOver');
    expect(given.body.rekey).toMatchObject({ order: { id, from: a.id(), to: b.id(), state: 'moving' } });
    const approver = wire.azure.world.principals.get(CLIENT_IDS.secondOperator)?.objectId;
    const order = {
      id,
      by: { name: 'operator@local.onmicrosoft.com' },
      approval: { id, approvedBy: [{ objectId: approver }] },
    };
    expect((await call(`/rekeys/${id}`, 'operator', 'GET')).body).toMatchObject({ order });
  });

  it('is not started once somebody has written to the storage what else it should be', async () => {
    const [a, b] = twoKeys();
    const mine = new TestKey(wire.azure.world);
    const id = await asked(a, b);
    const blob = BlobServiceClient.fromConnectionString(wire.connectionString)
      .getContainerClient('cmk-approvals')
      .getBlockBlobClient(`${id}.json`);
    const kept = JSON.parse((await blob.downloadToBuffer()).toString());
    for (const change of [{ to: { vault: mine.vault.name, key: mine.name } }, { maxFailures: 1_000 }]) {
      const text = JSON.stringify({ ...kept, ...change });
      await blob.upload(text, Buffer.byteLength(text));
      expect(said(await approve(id, 'second-operator'))).toBe('409 ApprovalAltered');
      expect(ids(await call('/approvals', 'operator', 'GET'))).not.toContain(id);
    }
    expect(ids(await call('/rekeys', 'operator', 'GET'))).not.toContain(id);
  });

  it('is not asked for when it is unfit, and is over when it is unfit by then', async () => {
    const [a, b] = twoKeys();
    expect(said(await ask(a, a))).toBe('409 RekeyUnfit');
    const id = await asked(a, b);
    b.first.enabled = false;
    expect(said(await approve(id, 'second-operator'))).toBe('409 RekeyUnfit');
    b.first.enabled = true;
    expect(said(await approve(id, 'second-operator'))).toBe('409 ApprovalOver');
    const value = (await call('/approvals', 'operator', 'GET')).body.value as Shown[];
    expect(value.find((one) => one.id === id)).toMatchObject({ state: 'failed', outcome: 'RekeyUnfit' });
  });

  it('is withdrawn by whoever asked', async () => {
    const [a, b] = twoKeys();
    const id = await asked(a, b);
    expect(said(await call(`/approvals/${id}`, 'second-operator', 'DELETE'))).toBe('403 NotTheAsker');
    expect(said(await call(`/approvals/${id}`, 'operator', 'DELETE'))).toBe('200 withdrawn');
    expect(said(await approve(id, 'second-operator'))).toBe('409 ApprovalOver');
  });

  it('is approved, started, seen and changed by those alone whose role reaches both keys', async () => {
    const [a, b] = twoKeys('kv-records');
    const id = await asked(a, b);
    expect(said(await approve(id, 'second-operator'))).toBe('403 KeyOutOfReach');
    expect(said(await ask(a, b, 'second-operator'))).toBe('403 KeyOutOfReach');
    expect(said(await ask(a, b, 'second-operator', '?dryRun=true'))).toBe('403 KeyOutOfReach');
    const [c, d] = twoKeys();
    const mine = await asked(c, d);
    await approve(mine, 'second-operator');
    expect(said(await ask(c, d, 'second-operator', '?dryRun=true'))).toMatch(/^200/);
    expect(said(await ask(c, d, 'restorer', '?dryRun=true'))).toBe('403 RoleMissing');
    const pause = (who: Who) => call(`/rekeys/${mine}/pause`, who, 'POST', { reason: 'Lunch' });
    expect((await pause('restorer')).status).toBe(403);
    expect((await pause('second-operator')).status).toBe(200);
    expect((await call(`/rekeys/${mine}?reason=No%20more&keep=true`, 'operator', 'DELETE')).status).toBe(202);
    expect(said(await call('/rekeys/no-such-id', 'operator', 'GET'))).toBe('404 RekeyNotFound');
  });
});
