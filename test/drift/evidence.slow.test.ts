import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TableClient } from '@azure/data-tables';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import { addRoleAssignment } from '../../local/azure/fleet.ts';
import { createKeyVersion } from '../../local/azure/key-vault/keys.ts';
import { HEADS_CONTAINER } from '../../src/audit/container-name.ts';
import { headStore } from '../../src/audit/head-store-client.ts';
import { AUDIT_TABLE } from '../../src/audit/last-head-client.ts';
import { TrailProof } from '../../src/audit/prove-trail.ts';
import type { SignedHead } from '../../src/audit/signed-head.ts';
import type { DriftReport } from '../../src/drift/report.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { breakGlass, enabledOf, keyOf } from '../break-glass/break-glass-fixture.ts';
import { cmk } from '../support/cmk.ts';
import { vaultNamed } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const folder = mkdtempSync(join(tmpdir(), 'cmk-evidence-'));
afterAll(() => rmSync(folder, { recursive: true }));

const heads = () =>
  headStore(BlobServiceClient.fromConnectionString(wire.connectionString).getContainerClient(HEADS_CONTAINER));

const newestHead = async () => (await heads().newest(1))[0]?.head;

/** As whoever changes the key does. */
beforeEach(async () => {
  const container = BlobServiceClient.fromConnectionString(wire.connectionString).getContainerClient(HEADS_CONTAINER);
  for await (const { name } of container.listBlobsFlat()) await container.deleteBlob(name);
  const options = { allowInsecureConnection: true };
  await TableClient.fromConnectionString(wire.connectionString, AUDIT_TABLE, options).deleteTable();
});

/** A key in a vault that the app does not manage, which the app may sign with and nothing else. */
function auditKey(name: string, material: Parameters<typeof createKeyVersion>[3]): string {
  const { world } = wire.azure;
  const vault = vaultNamed(world, 'kv-other');
  createKeyVersion(world, vault, name, { ...material, publish: false });
  const role = {
    id: `/providers/Microsoft.Authorization/roleDefinitions/${crypto.randomUUID()}`,
    roleName: `Sign with ${name}`,
    type: 'CustomRole' as const,
    actions: [],
    notActions: [],
    dataActions: ['Microsoft.KeyVault/vaults/keys/read', 'Microsoft.KeyVault/vaults/keys/sign/action'],
    notDataActions: [],
    assignableScopes: ['/'],
  };
  world.roleDefinitions.set(role.id.toLowerCase(), role);
  const principalId = world.principals.get(CLIENT_IDS.appUserAssigned)?.objectId ?? '';
  addRoleAssignment(world, { scope: `${vault.id}/keys/${name}`, principalId, role, settled: true });
  return `https://kv-other.vault.azure.net/keys/${name}`;
}

async function check(CMK_AUDIT_KEY = ''): Promise<DriftReport> {
  const services = wire.services({ CMK_AUTOFIX: 'none', CMK_AUDIT_KEY });
  return runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, services, wire.log);
}

const kept = (): SignedHead | undefined =>
  wire.records.find(({ reason }) => reason === 'AuditHeadKept')?.head as SignedHead | undefined;
const broken = (report: DriftReport) => report.findings.filter(({ reason }) => reason === 'AuditTrailBroken');

async function revoke(): Promise<void> {
  await breakGlass(wire).revoke(keyOf(wire.azure, 1), wire.services());
}

/** What the log has of heads, as an export of it. */
function exportLog(): string {
  const file = join(folder, `${crypto.randomUUID()}.txt`);
  writeFileSync(file, wire.records.map((record) => JSON.stringify(record)).join('\n'));
  return file;
}

describe('the drift check', () => {
  it.each<[string, Parameters<typeof createKeyVersion>[3]]>([
    ['ES256', { kty: 'EC' }],
    ['PS256', { kty: 'RSA' }],
  ])(
    'signs where the trail ends with a key of Key Vault (%s), and verify holds the trail to it',
    async (algorithm, material) => {
      const CMK_AUDIT_KEY = auditKey(`audit-${algorithm.toLowerCase()}`, material);
      await revoke();
      expect(broken(await check(CMK_AUDIT_KEY))).toEqual([]);
      const head = kept();
      expect(head).toMatchObject({
        algorithm,
        key: expect.stringContaining(CMK_AUDIT_KEY),
        signature: expect.any(String),
      });
      expect(await newestHead()).toEqual(head);

      const env = { AzureWebJobsStorage: wire.connectionString, CMK_AUDIT_KEY };
      const verified = await cmk(wire.azure, ['audit', 'verify', '--log', exportLog()], { env });
      expect(verified, verified.output).toMatchObject({
        code: 0,
        output: expect.stringMatching(/nothing found[\s\S]*kept elsewhere/),
      });
    },
  );

  it('finds what was done to the trail since, raises an alert, and keeps the head that proves it', async () => {
    await revoke();
    await check();
    const before = await newestHead();
    const trail = BlobServiceClient.fromConnectionString(wire.connectionString).getContainerClient('cmk-audit');
    const blob = trail.getAppendBlobClient(before?.file ?? '');
    const text = (await blob.downloadToBuffer()).toString();
    const cut = text.split('\n').slice(0, -2).join('\n');
    await blob.create();
    await blob.appendBlock(`${cut}\n`, Buffer.byteLength(`${cut}\n`));
    wire.records.length = 0;

    const report = await check();
    expect(broken(report)).toMatchObject([{ severity: 'error', is: expect.stringMatching(/HeadMissing/) }]);
    const alert = wire.records.find(({ reason }) => reason === 'AuditTrailBroken' && true);
    expect(alert).toMatchObject({ level: 'error' });
    expect(await newestHead()).toEqual(before);
    const env = { AzureWebJobsStorage: wire.connectionString };
    expect(await cmk(wire.azure, ['audit', 'verify'], { env })).toMatchObject({
      code: 1,
      output: expect.stringContaining('HeadMissing'),
    });

    await blob.create();
    await blob.appendBlock(text, Buffer.byteLength(text));
    expect(broken(await check())).toEqual([]);
  });

  it('verify says when it could not look at the end that the table has', async () => {
    await revoke();
    await check();
    const AzureWebJobsStorage = wire.connectionString.replace(
      /TableEndpoint=[^;]*/,
      'TableEndpoint=http://127.0.0.1:9/x',
    );
    const verified = await cmk(wire.azure, ['audit', 'verify'], { env: { AzureWebJobsStorage } });
    expect(verified, verified.output).toMatchObject({
      code: 0,
      output: expect.stringMatching(/nothing found[\s\S]*Not held to the end that the table cmkaudit has: /),
    });
  });

  it('has a head by a version of the key that does not exist for forged, and says the rest all the same', async () => {
    const CMK_AUDIT_KEY = auditKey('audit-forged', { kty: 'EC' });
    await revoke();
    await check(CMK_AUDIT_KEY);
    const head = await newestHead();
    const forged = JSON.stringify({ ...head, key: `${CMK_AUDIT_KEY}/${'f'.repeat(32)}` });
    const container = BlobServiceClient.fromConnectionString(wire.connectionString).getContainerClient(HEADS_CONTAINER);
    await container.getBlockBlobClient(`${head?.day}.json`).upload(forged, Buffer.byteLength(forged));
    const env = { AzureWebJobsStorage: wire.connectionString, CMK_AUDIT_KEY };
    const verified = await cmk(wire.azure, ['audit', 'verify'], { env });
    expect(verified, verified.output).toMatchObject({
      code: 1,
      output: expect.stringMatching(/HeadForged[\s\S]*1 found/),
    });
    expect(broken(await check(CMK_AUDIT_KEY))).toMatchObject([{ is: expect.stringMatching(/HeadForged/) }]);
  });

  it('says that a head is not signed when the key is out of reach, and keeps it all the same', async () => {
    const CMK_AUDIT_KEY = auditKey('audit-far', { kty: 'EC' });
    await revoke();
    wire.azure.faults.add([{ match: { host: 'kv-other.vault.azure.net' }, answer: { status: 503 } }]);
    await check(CMK_AUDIT_KEY);
    expect(wire.records.find(({ reason }) => reason === 'AuditHeadUnsigned')).toMatchObject({ level: 'error' });
    expect(kept()).not.toHaveProperty('signature');
    expect(await newestHead()).toEqual(kept());
  });

  it('has a key of a managed vault for a wrong setting: the app could disable what bears witness against it', async () => {
    const report = await check('https://kv-files.vault.azure.net/keys/files-key');
    expect(report.findings).toContainEqual(
      expect.objectContaining({
        reason: 'SettingsInvalid',
        is: expect.stringMatching(/^CMK_AUDIT_KEY is in a vault of CMK_VAULTS/),
      }),
    );
  });
});

describe('the proof that the API gives', () => {
  const proof = (CMK_AUDIT_KEY = '') => new TrailProof().read(wire.services({ CMK_AUDIT_KEY }).auditWatch);

  it('goes from the head that was signed to the last record, and says whose signature it has seen', async () => {
    const CMK_AUDIT_KEY = auditKey('audit-proof', { kty: 'EC' });
    await revoke();
    await check(CMK_AUDIT_KEY);
    const { seq = 0, file, hash, day, signedOn, key } = kept() ?? {};
    await revoke();
    const head = { seq, file, hash, day, keptOn: signedOn, key, signature: 'valid' };
    const proven = await proof(CMK_AUDIT_KEY);
    expect(proven).toMatchObject({ state: 'holds', head, findings: [] });
    expect(proven.last?.seq).toBeGreaterThan(seq);
    expect(await proof()).toMatchObject({ state: 'holds', head: { ...head, signature: 'unchecked' } });
    wire.azure.faults.add([{ match: { host: 'kv-other.vault.azure.net' }, answer: { status: 503 } }]);
    expect(await proof(CMK_AUDIT_KEY)).toMatchObject({ state: 'unknown', detail: expect.any(String) });
    wire.azure.faults.clear();

    const newest = (await heads().newest(1))[0]?.head;
    const forged = { ...newest, signature: 'A'.repeat(86) } as SignedHead;
    await heads().keep(forged);
    expect(await proof(CMK_AUDIT_KEY)).toMatchObject({ state: 'broken', head: { signature: 'wrong' } });
  });

  it('is broken when a record was changed, and is read once for all who ask', async () => {
    await revoke();
    await check();
    await revoke();
    const trail = BlobServiceClient.fromConnectionString(wire.connectionString).getContainerClient('cmk-audit');
    const blob = trail.getAppendBlobClient((await heads().newest(1))[0]?.head?.file ?? '');
    const text = (await blob.downloadToBuffer()).toString();
    const changed = text.replace('A laptop was stolen', 'A laptop was broken');
    await blob.create();
    await blob.appendBlock(changed, Buffer.byteLength(changed));
    const { auditWatch } = wire.services();
    let lists = 0;
    const list = () => {
      lists += 1;
      return auditWatch.files.list();
    };
    const watched = { ...auditWatch, files: { ...auditWatch.files, list } };
    const shared = new TrailProof();
    const proofs = await Promise.all(Array.from({ length: 10 }, () => shared.read(watched)));
    expect(lists).toBe(1);
    for (const one of proofs) {
      expect(one).toMatchObject({ state: 'broken', findings: [expect.objectContaining({ reason: 'LineChanged' })] });
    }
    await blob.create();
    await blob.appendBlock(text, Buffer.byteLength(text));
  });
});

it('a revocation asks nothing of the vault of the audit key, and says what its answer misses', async () => {
  const key = keyOf(wire.azure, 5);
  const CMK_AUDIT_KEY = auditKey('audit-hangs', { kty: 'EC' });
  wire.azure.faults.add([{ match: { host: 'kv-other.vault.azure.net' }, hang: true }]);
  const since = wire.azure.requests.last;
  const AzureWebJobsStorage = wire.connectionString.replace(/(127\.0\.0\.1:)\d+/g, '$19');
  const started = performance.now();
  const answer = await breakGlass(wire).revoke(key, wire.services({ CMK_AUDIT_KEY, AzureWebJobsStorage }));
  expect(performance.now() - started).toBeLessThan(5_000);
  expect(enabledOf(key)).toEqual(Array(5).fill(false));
  expect(answer).toMatchObject({
    complete: true,
    warnings: expect.arrayContaining([expect.stringMatching(/^Not in the audit trail/)]),
  });
  expect(wire.azure.requests.since(since).filter(({ host }) => host === 'kv-other.vault.azure.net')).toEqual([]);
});
