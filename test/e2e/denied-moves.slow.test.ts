import { expect, it } from 'vitest';
import { outsider } from '../drift/outsider.ts';
import { useApp } from '../support/app.ts';
import { cmk } from '../support/cmk.ts';
import { eventually } from '../support/eventually.ts';
import { group, inUse, TestKey } from '../support/fleet.ts';
import { denyInsecureTransfer } from '../support/policies.ts';

const app = useApp();

it('an account that Azure Policy denies is named before the rotation, and the others move without it', async () => {
  const files = new TestKey(app.azure.world);
  const old = files.account();
  const others = [files.account(), files.account()];

  old.properties.supportsHttpsTrafficOnly = false;

  const { arm } = outsider(app.azure);
  const assignment = await denyInsecureTransfer(arm, group(app.azure.world).id);
  const field = 'Microsoft.Storage/storageAccounts/supportsHttpsTrafficOnly';
  const is = `The policy assignment "Storage baseline" denies each change of it, and so its move to a new key version, because of ${field} (definition secure-transfer).`;
  const command = `az policy exemption create --exemption-category Waiver --name cmk-secure-transfer --policy-assignment ${assignment} --scope ${old.id}`;

  await app.found();

  // Before the rotation.
  const report = await app.checkDrift();
  expect(report.findings.filter(({ reason }) => reason === 'PolicyBlocksMove')).toMatchObject([
    { resource: old.id, severity: 'warning', is, command, cause: { about: [assignment] } },
  ]);

  const show = ['rotation', 'show', files.name, '--vault', files.vault.name];
  const env = { AzureWebJobsStorage: app.connectionString, CMK_VAULTS: files.vault.id };
  const before = await cmk(app.azure, show, { env });
  expect(before).toMatchObject({
    code: 0,
    output: expect.stringContaining(`${old.name}: ${is} To exempt it: ${command}`),
  });
  for (const { name } of others) expect(before.output).not.toContain(name);

  const rotate = ['key', 'rotate', files.name, '--vault', files.vault.name, '--if-older-than', 'PT0S', '--dry-run'];
  const planned = await cmk(app.azure, rotate);
  expect(planned.output).toContain('Azure Policy would deny the move of 1 pinned account');
  expect(planned.output).toContain(`${old.name}: ${is} To exempt it: ${command}`);

  // The rotation.
  const next = files.rotate();
  await app.inTime('the others are moved', () => others.every((account) => inUse(account) === next.version));

  const rotation = await eventually('the old account is denied', async () => {
    const answer = await app.call('operator', 'GET', `/rotations/${files.vault.name}/${files.name}`);
    const body = (await answer.json()) as Record<string, unknown>;
    return body.failed === 1 && body;
  });

  expect(inUse(old)).toBe(files.first.version);
  expect(rotation).toMatchObject({
    failedUses: [{ account: old.id, reason: 'DeniedByPolicy' }],
    deniedMoves: [{ account: old.id, detail: is, command }],
  });

  const after = await cmk(app.azure, show, { env });
  expect(after.output).toContain(`${old.name} could not be moved: DeniedByPolicy`);
});
