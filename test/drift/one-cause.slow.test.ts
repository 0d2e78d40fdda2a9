import { beforeAll, describe, expect, it } from 'vitest';
import { addAccount } from '../../local/azure/fleet.ts';
import { FLEET_QUERY, handleFleet } from '../../src/api/fleet.ts';
import type { DriftReport, WholeReport } from '../../src/drift/report/report.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import type { LogRecord } from '../../src/errors/log.ts';
import { parseCallQuery } from '../../src/http/query.ts';
import type { FleetListAnswer } from '../../src/status/fleet-schemas.ts';
import { FleetSnapshots } from '../../src/status/fleet-snapshots.ts';
import { group, storageIdentity, TestKey, vaultNamed } from '../support/fleet.ts';
import { pasteRoleAssignment } from '../support/pasted.ts';
import { Procedures } from '../support/procedures.ts';
import { runCmk } from '../support/run-cmk.ts';
import { useWire } from '../support/wire.ts';
import { reconcileAll } from '../support/work-items.ts';
import { outsider } from './outsider.ts';

/** With those of the sample fleet that have the identity. */
const FLEET = 500;

const wire = useWire();
const services = () => wire.services({ CMK_AUTOFIX: 'none' });
const check = (): Promise<WholeReport> =>
  runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, services(), (record) => {
    logged.push(record);
  });
async function fleetPage(query: string): Promise<FleetListAnswer> {
  const call = { headers: new Headers(), reaches: () => true, snapshots: new FleetSnapshots(), nowMs: 0 };
  return JSON.parse(
    String((await handleFleet(parseCallQuery(new URLSearchParams(query), FLEET_QUERY), call, services())).body),
  );
}
const withoutRole = ({ causes }: Pick<DriftReport, 'causes'>) =>
  causes.filter(({ reason }) => reason === 'IdentityWithoutRole');

/** Of every check. */
const logged: LogRecord[] = [];
let report: WholeReport;

beforeAll(async () => {
  const { world } = wire.azure;
  const identity = storageIdentity(world);
  const users = () =>
    [...world.storageAccounts.values()].filter(
      ({ encryption }) =>
        encryption.keyvaultproperties?.keyvaulturi.includes('kv-files') &&
        encryption.identity?.userAssignedIdentity?.toLowerCase() === identity.id.toLowerCase(),
    ).length;

  const key = new TestKey(world);
  for (let n = users(); n < FLEET; n += 1) {
    addAccount(world, group(world), { name: `stfleet${String(n).padStart(5, '0')}`, identity, key: key.use() });
  }

  const { roleAssignments } = outsider(wire.azure).roles;
  const vault = vaultNamed(world, 'kv-files').id.slice(1);
  const given = [];

  for await (const { id = '', scope = '' } of roleAssignments.listForScope(vault, {
    filter: `assignedTo('${identity.principalId}')`,
  })) {
    if (scope.toLowerCase().endsWith('kv-files')) given.push(id);
  }

  for (const id of given) await roleAssignments.deleteById(id.slice(1));

  report = await check();
});

describe(`the deletion of a role that ${FLEET} accounts need`, () => {
  it('A deleted role of many accounts is one cause, with the identity, the vault and the command that assigns it again', () => {
    const causes = withoutRole(report);
    expect(causes).toHaveLength(1);

    const { principalId } = storageIdentity(wire.azure.world);
    expect(causes[0]).toMatchObject({
      severity: 'error',
      affected: FLEET,
      about: [
        expect.stringMatching(/\/userAssignedIdentities\/id-storage$/),
        expect.stringMatching(/\/vaults\/kv-files$/),
      ],
      commands: [expect.stringContaining(`--assignee-object-id ${principalId} `)],
      moreCommands: 0,
    });

    expect(causes[0]?.sample).toHaveLength(5);
  });

  it('A deleted role of many accounts is one record in the log', () => {
    const said = logged.filter(({ reason }) => reason === 'IdentityWithoutRole');
    expect(said).toHaveLength(1);
    expect(said[0]).toMatchObject({
      level: 'error',
      affected: FLEET,
      vault: vaultNamed(wire.azure.world, 'kv-files').id,
    });
  });

  it('A deleted role of many accounts is the cause in GET /fleet and `cmk account list` for each of them', async () => {
    const text = expect.stringMatching(/ 500 no access \(id-storage on kv-files\)/);

    await check();

    // Who is not in the index is in no list.
    expect(logged.map(({ reason }) => reason)).not.toContain('FleetIndexUnavailable');

    await reconcileAll(services(), wire.log);

    const page = await fleetPage('health=NoAccess&top=1000');
    expect(page).toMatchObject({ summary: { text, states: { NoAccess: FLEET } } });

    const [cause] = withoutRole(report);
    expect(page.value[0]?.health).toEqual({
      state: 'NoAccess',
      cause: expect.objectContaining({ id: cause?.id, label: 'id-storage on kv-files' }),
      since: cause?.since,
    });

    const operator = new Procedures(wire);

    const env = {
      AzureWebJobsStorage: wire.connectionString,
      CMK_VAULTS: services()
        .settings.vaults.all.map(({ id }) => id)
        .join(' '),
    };

    const { out } = await runCmk(operator, ['account', 'list', '--vault', 'kv-files', '--json'], { env });
    const { summary, rows } = JSON.parse(out).result;

    expect(summary.states.NoAccess).toBe(FLEET);

    expect(rows.find(({ name }: { name: string }) => name === 'stfiles01')).toMatchObject({
      health: 'NoAccess',
      cause: { id: cause?.id },
      since: cause?.since,
    });

    expect(summary.causes[0]).toMatchObject({ id: cause?.id, since: cause?.since });
  });

  it('A deleted role of many accounts is the same cause in the next check, and gone once the command was run', async () => {
    const again = await check();
    expect(withoutRole(again).map(({ id, since }) => [id, since])) //
      .toEqual(withoutRole(report).map(({ id, since }) => [id, since]));
    expect(again.counts.new).toBe(0);
    await pasteRoleAssignment(withoutRole(again)[0]?.commands[0] ?? '', outsider(wire.azure));
    const repaired = await check();
    expect(withoutRole(repaired)).toEqual([]);
    expect(await fleetPage('health=NoAccess')).toMatchObject({ value: [] });
    expect(repaired.counts.gone).toBeGreaterThanOrEqual(FLEET);
  });
});
