import { expect, it } from 'vitest';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

it('a version that nobody in sight uses is advice with the command to type, and never disabled by the app', async () => {
  const key = new TestKey(wire.azure.world);
  const newer = key.add();
  key.account('pinned', { key: key.use('pinned', newer) });
  wire.azure.clock.advance(26 * 3_600_000);
  const since = wire.azure.requests.last;
  const services = wire.services();
  const report = await runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, services, wire.log);
  const version = key.id(key.first);
  expect(report.findings.find(({ resource }) => resource === version)).toMatchObject({
    reason: 'RetirableVersion',
    severity: 'advice',
    is: expect.stringMatching(/no account that the app read uses it\. Unknown uses may exist/),
    fix: expect.stringMatching(
      `: cmk key retire ${key.name} --vault kv-files --version ${key.first.version} --without-evidence$`,
    ),
  });
  expect(key.vault.keys.get(key.name)?.versions.map(({ enabled }) => enabled)).toEqual([true, true]);
  const written = wire.azure.requests.since(since).filter(({ host, method }) => /vault/.test(host) && method !== 'GET');
  expect(written).toEqual([]);
});
