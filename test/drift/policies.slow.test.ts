import { beforeEach, describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import type { DriftReport } from '../../src/drift/report.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { TestKey, vaultNamed } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { outsider } from './outsider.ts';

const wire = useWire();

const AUTHORIZATION = '/providers/Microsoft.Authorization';
const SUBSCRIPTION = `/subscriptions/${SUBSCRIPTION_ID}`;
const ASSIGNMENT = `${SUBSCRIPTION}${AUTHORIZATION}/policyAssignments/hsm-only`;
/** "Enforce Encryption-at-Rest with Customer Managed Keys (CMK) with Azure Key Vault Managed HSM Keys". */
const INITIATIVE = `${AUTHORIZATION}/policySetDefinitions/7a00a7fc-fdf4-4ad8-8fa2-a94acc223e8e`;
const EXPIRY = `${AUTHORIZATION}/policyDefinitions/152b15f7-8e1f-4c1f-ab71-8c010ba5dbc0`;

const world = () => wire.azure.world;
const put = (path: string, properties: object) => outsider(wire.azure).arm('PUT', path, { properties });
const check = () =>
  runDriftCheck({ id: crypto.randomUUID(), by: 'operator' }, wire.services({ CMK_AUTOFIX: 'none' }), wire.log);

function blocked(report: DriftReport, key: TestKey) {
  return report.findings.filter(({ reason, resource }) => reason === 'PolicyBlocksRotation' && resource === key.id());
}

/** What could not be read, and is no more than advice. */
function unread(report: DriftReport) {
  return report.findings
    .filter(({ reason }) => reason === 'MissingPermission' || reason === 'Unreadable')
    .map(({ reason, resource, severity }) => [reason, resource, severity]);
}

function refuse(path: string): void {
  const error = { code: 'AuthorizationFailed', message: 'The client does not have authorization.' };
  wire.azure.faults.add([{ match: { method: 'GET', path }, answer: { status: 403, body: { error } } }]);
}

beforeEach(() => {
  for (const [id, { type }] of world().extensions) if (/\/policy/i.test(type)) world().extensions.delete(id);
});

describe('a policy that denies the next version', () => {
  it('is found in an initiative of the subscription, which is read once for all of its vaults', async () => {
    const key = new TestKey(world());
    await put(ASSIGNMENT, { displayName: 'Keys in hardware', policyDefinitionId: INITIATIVE });
    const since = wire.azure.requests.last;
    const found = blocked(await check(), key);
    const vault = vaultNamed(world(), 'kv-files').id;
    expect(found).toMatchObject([
      {
        severity: 'warning',
        is: 'The policy assignment "Keys in hardware" denies keys of other types than RSA-HSM, EC-HSM (allowedKeyTypes), and the next version would be RSA of 2048 bits, as this one is.',
        command: `az policy exemption create --exemption-category Waiver --name cmk-hsm-only-cryptographicKeyTypesInKeyVault --policy-assignment ${ASSIGNMENT} --policy-definition-reference-ids cryptographicKeyTypesInKeyVault --scope ${vault}`,
        cause: { about: [ASSIGNMENT, vault] },
      },
    ]);
    const asked = (about: RegExp) => wire.arm(since, about).length;
    const vaults = wire.services().settings.vaults.all.length;
    expect(asked(/policyAssignments/)).toBe(vaults);
    expect(asked(/policySetDefinitions/)).toBe(1);
    expect(asked(/policyExemptions/)).toBeLessThanOrEqual(vaults);
  });

  it('is none while the vault is exempt from it', async () => {
    const key = new TestKey(world());
    const { id } = vaultNamed(world(), 'kv-files');
    await put(ASSIGNMENT, { policyDefinitionId: INITIATIVE });
    const exemption = { policyAssignmentId: ASSIGNMENT, exemptionCategory: 'Waiver' };
    const expiresOn = new Date(wire.azure.clock.nowMs() + 3_600_000).toISOString();
    await put(`${id}${AUTHORIZATION}/policyExemptions/ours`, { ...exemption, expiresOn });
    expect(blocked(await check(), key)).toEqual([]);
    wire.azure.clock.advance(3_600_000);
    expect(blocked(await check(), key)).toHaveLength(1);
  });

  it('is found on every page of the list', async () => {
    const key = new TestKey(world());
    const { id } = vaultNamed(world(), 'kv-files');
    const type = 'Microsoft.Authorization/policyAssignments';
    for (let index = 0; index < 150; index++) {
      const name = `${id}/providers/${type}/a-${index}`;
      world().extensions.set(name.toLowerCase(), {
        id: name,
        type,
        scope: id,
        properties: { policyDefinitionId: 'x' },
      });
    }
    await put(ASSIGNMENT, { policyDefinitionId: EXPIRY, parameters: { effect: { value: 'deny' } } });
    expect(blocked(await check(), key)).toHaveLength(1);
  });

  it('is not looked for below the vault, nor elsewhere', async () => {
    const key = new TestKey(world());
    const denies = { policyDefinitionId: EXPIRY, parameters: { effect: { value: 'Deny' } } };
    const { id } = vaultNamed(world(), 'kv-other');
    await put(`${id}${AUTHORIZATION}/policyAssignments/theirs`, denies);
    await put(`${SUBSCRIPTION}/resourceGroups/rg-files${AUTHORIZATION}/policyAssignments/theirs`, denies);
    expect(blocked(await check(), key)).toEqual([]);
  });
});

describe('what cannot be read of Azure Policy', () => {
  it('is advice: the assignments', async () => {
    refuse('/vaults/kv-files/providers/Microsoft.Authorization/policyAssignments');
    const report = await check();
    const { id } = vaultNamed(world(), 'kv-files');
    expect(unread(report)).toEqual([
      ['MissingPermission', id, 'advice'],
      ['Unreadable', id, 'advice'],
    ]);
    expect(report.complete).toBe(true);
  });

  it('is advice, said once for each place: the initiatives of a management group', async () => {
    const key = new TestKey(world());
    const group = '/providers/Microsoft.Management/managementGroups/mg-root';
    for (const name of ['one', 'two']) {
      const policyDefinitionId = `${group}${AUTHORIZATION}/policySetDefinitions/${name}`;
      await put(`${SUBSCRIPTION}${AUTHORIZATION}/policyAssignments/${name}`, { policyDefinitionId });
    }
    await put(ASSIGNMENT, { policyDefinitionId: INITIATIVE });
    const report = await check();
    expect(unread(report)).toEqual([
      ['MissingPermission', group, 'advice'],
      ['Unreadable', group, 'advice'],
    ]);
    // And what can be read is found.
    expect(blocked(report, key)).toHaveLength(1);
  });

  it('is advice, and no alarm: the exemptions', async () => {
    const key = new TestKey(world());
    await put(ASSIGNMENT, { policyDefinitionId: INITIATIVE });
    refuse('/providers/Microsoft.Authorization/policyExemptions');
    const report = await check();
    expect(blocked(report, key)).toEqual([]);
    expect(new Set(unread(report).map(([, , severity]) => severity))).toEqual(new Set(['advice']));
    expect(report.complete).toBe(true);
  });

  it('is advice: a list that leads elsewhere and never ends, or is none', async () => {
    const key = new TestKey(world());
    const { id } = vaultNamed(world(), 'kv-files');
    const path = '/vaults/kv-files/providers/Microsoft.Authorization/policyAssignments';
    const nextLink = 'https://elsewhere.example/?api-version=2022-06-01&%24skiptoken=again';
    for (const body of [{ value: [], nextLink }, { value: [], nextLink: 'again' }, { value: [{ id: 7 }] }, [], 'no']) {
      wire.azure.faults.clear();
      wire.azure.faults.add([{ match: { method: 'GET', path }, answer: { status: 200, body } }]);
      const since = wire.azure.requests.last;
      const report = await check();
      expect(unread(report)).toEqual([['Unreadable', id, 'advice']]);
      expect(report.complete).toBe(true);
      expect(blocked(report, key)).toEqual([]);
      expect(wire.arm(since, /kv-files.*policyAssignments/).length).toBeLessThanOrEqual(100);
    }
  });
});

it('what is null in an assignment is left out of it', async () => {
  const key = new TestKey(world());
  await put(ASSIGNMENT, {
    displayName: null,
    notScopes: null,
    parameters: { effect: { value: 'Deny' } },
    policyDefinitionId: EXPIRY,
    resourceSelectors: null,
    overrides: null,
  });
  expect(blocked(await check(), key)).toHaveLength(1);
});
