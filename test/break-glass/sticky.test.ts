import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/record.ts';
import { keepRevoked } from '../../src/revocation/keep-revoked.ts';
import type { Services } from '../../src/services.ts';
import { useWire } from '../support/wire.ts';
import { addVersion, breakGlass, enabledOf, keyOf, managed, refusalOf, softDelete } from './break-glass-fixture.ts';

const wire = useWire();

const { revoke, restore } = breakGlass(wire);
const reasons = () => wire.records.map(({ reason }) => reason);

describe('while a key is revoked', () => {
  it('A version that appears while the key is revoked is disabled without a free tag, and the log names what a restore will omit', async () => {
    const key = keyOf(wire.azure, 1);
    const services = wire.services();
    const { revocation } = await revoke(key, services);
    const full = addVersion(key);
    const spare = addVersion(key);

    full.tags = Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`tag-${n}`, 'x']));

    const audited: AuditEntry[] = [];
    const audit: Services['audit'] = async (entry) => {
      audited.push(entry);
      return { written: { file: 'f', seq: 1, hash: 'h' } };
    };
    const look = () => keepRevoked(managed(key, services), { ...services, keys: services.urgentKeys, audit }, wire.log);

    await look();

    expect(enabledOf(key)).toEqual([false, false, false]);

    const about = { key: key.id(), version: full.version, revocation: revocation?.id };
    const said = wire.records.filter(({ reason }) => reason === 'KeptRevokedUnrecorded');

    expect(said).toMatchObject([{ level: 'error', ...about }]);
    expect(said[0]?.message).toMatch(/A restore does not enable it/);
    expect(reasons().filter((reason) => reason === 'KeptRevoked')).toHaveLength(2);

    const recorded = audited.map(({ reason, details }) => [reason, details?.version, details?.recorded]);
    expect(recorded).toHaveLength(2);

    expect(recorded).toEqual(
      expect.arrayContaining([
        ['KeptRevoked', spare.version, true],
        ['KeptRevoked', full.version, false],
      ]),
    );

    // It is logged once, when it is done.
    await look();

    expect(reasons().filter((reason) => reason === 'KeptRevokedUnrecorded')).toHaveLength(1);
    expect(await restore(key, services)).toMatchObject({ complete: true });
    expect(enabledOf(key)).toEqual([true, false, true]);
  });

  it('A revocation warns that the key cannot be kept disabled if no version has a free tag', async () => {
    const key = keyOf(wire.azure, 1);
    key.first.tags = Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`tag-${n}`, 'x']));
    const services = wire.services();
    const answer = await revoke(key, services);
    expect(answer).toMatchObject({ complete: true });
    expect(answer.revocation).toBeUndefined();
    expect(answer.warnings.join('\n')).toMatch(/no free tag[\s\S]*not disable later versions/);
    expect(enabledOf(key)).toEqual([false]);
  });
});

it('a key that is deleted while revoked is not reported as revoked, as it may return with enabled versions', async () => {
  const key = keyOf(wire.azure, 2);
  const own = wire.services();
  const { urgentKeys } = own;
  const deletedMeanwhile: Services['urgentKeys'] = {
    ...urgentKeys,
    async *versionPages(of) {
      yield* urgentKeys.versionPages(of);
      softDelete(key);
    },
  };

  const refused = await refusalOf(revoke(key, { ...own, urgentKeys: deletedMeanwhile }));
  expect(refused).toMatchObject({ reason: 'RevocationIncomplete', extensions: { complete: false } });
  expect(refused.message).toContain('was deleted');
  expect(refused.nextStep).toMatch(/recovered.*revoke it again/);
  expect(refused.extensions?.warnings).toEqual([]);
});
