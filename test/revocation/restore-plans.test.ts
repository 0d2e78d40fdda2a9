import { describe, expect, it } from 'vitest';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { planClose, planCloseLost, planMark, planReopen, planReopenLost } from '../../src/revocation/restore-plans.ts';
import { REVOCATION_TAG, readRevocation } from '../../src/revocation/revocation.ts';
import { planCarrier, planJoin, planRecordAgain, planRepair } from '../../src/revocation/revocation-plans.ts';
import { shortOf } from '../../src/revocation/revokers.ts';
import { keyVersion, versionName } from '../support/keys.ts';
import { BOB, CAROL, changed, fullOfTags, later, NOW, record, restored, revoked, stamp } from './records.ts';

describe('planCarrier', () => {
  const off = [keyVersion(1, { enabled: false }), keyVersion(2, { enabled: false, tags: { owner: 'files' } })];

  it('A revocation with nothing to disable writes its record on the newest version, as disabled before', () => {
    expect(planCarrier(off, stamp, NOW)).toEqual([
      { version: off[1], tags: { owner: 'files', ...record(2, { wasEnabled: false }) } },
    ]);
  });

  it('planCarrier skips versions without a free tag, and enabled versions', () => {
    const versions = [...off, keyVersion(3), keyVersion(4, { enabled: false, tags: fullOfTags() })];
    expect(changed(planCarrier(versions, stamp, NOW))).toEqual([2]);
  });

  it.each<[string, KeyVersion[]]>([
    ['a revocation is open', [...off, revoked(3)]],
    ['no version has a free tag', [keyVersion(1, { enabled: false, tags: fullOfTags() })]],
    ['there is no version', []],
  ])('planCarrier writes no record when %s', (_, versions) => expect(planCarrier(versions, stamp, NOW)).toEqual([]));
});

describe('planRecordAgain and planRepair', () => {
  const names = new Map([versionName(1), versionName(2)].map((name) => [name, true]));

  it('After a late write erased the record, planRecordAgain and planRepair write it again and disable the enabled versions', () => {
    const versions = [keyVersion(1), keyVersion(2, { enabled: false }), revoked(3), keyVersion(4)];
    for (const plan of [planRecordAgain(versions, stamp, names, NOW), planRepair(versions, stamp, names, NOW)]) {
      expect(plan.map(({ version, enabled, tags }) => [version.version, enabled, tags])).toEqual([
        [versionName(1), false, record(1)],
        [versionName(2), undefined, record(2)],
      ]);
    }
  });

  it('planRepair replaces the tombstone of an older restore and the record of an older revocation', () => {
    const older = { id: 'older', revokedOn: new Date(stamp.revokedOn.getTime() - 1) };
    const versions = [
      keyVersion(1, { enabled: false, tags: restored(1, older) }),
      revoked(2, { tags: record(2, older) }),
    ];
    expect(changed(planRepair(versions, stamp, names, NOW))).toEqual([1, 2]);
  });

  it.each<[string, KeyVersion[]]>([
    ['the record is where it was written', [revoked(1), revoked(2)]],
    ['a newer revocation has replaced it', [revoked(1, { tags: record(1, later) }), revoked(2)]],
  ])('planRecordAgain and planRepair change nothing when %s', (_, versions) => {
    expect(planRecordAgain(versions, stamp, names, NOW)).toEqual([]);
    expect(planRepair(versions, stamp, names, NOW)).toEqual([]);
  });

  it.each<[string, KeyVersion[]]>([
    ['this revocation was restored', [keyVersion(1, { tags: restored(1) }), keyVersion(2)]],
    ['a newer one was restored', [keyVersion(1, { tags: restored(1, later) }), keyVersion(2)]],
    ['a caller restores it', [revoked(3, { tags: record(3, { restoringBy: BOB }) }), keyVersion(1)]],
    ['a caller restores a newer one', [revoked(3, { tags: record(3, { ...later, restoringBy: BOB }) }), keyVersion(1)]],
    ['a person removed the tags of all revocations', [keyVersion(1), keyVersion(2)]],
  ])('planRepair changes nothing when %s', (_, versions) => {
    expect(planRepair(versions, stamp, names, NOW)).toEqual([]);
  });

  it('planRepair does not change a version that was updated after any late write could arrive', () => {
    const later = new Date(stamp.revokedOn.getTime() + 600_001);
    const versions = [revoked(3), keyVersion(1, { updatedOn: later }), keyVersion(2, { updatedOn: stamp.revokedOn })];
    expect(changed(planRepair(versions, stamp, names, NOW))).toEqual([2]);
  });

  it('planRepair works while an older revocation is being restored', () => {
    const older = { id: 'older', revokedOn: new Date(stamp.revokedOn.getTime() - 1), restoringBy: BOB };
    expect(changed(planRepair([revoked(3, { tags: record(3, older) }), keyVersion(1)], stamp, names, NOW))).toEqual([
      1,
    ]);
  });
});

describe('planReopenLost', () => {
  const names = new Map([versionName(1), versionName(2)].map((name) => [name, true]));
  const older = { id: 'older', revokedOn: new Date(stamp.revokedOn.getTime() - 1) };
  const lost = keyVersion(1, { enabled: false, tags: restored(1, older) });
  const back = keyVersion(2, { tags: restored(2) });

  it('planReopenLost enables a version whose record an older restore erased, and then writes a tombstone', () => {
    const [open] = planReopenLost([lost, back], stamp, names, NOW);
    expect([open?.version, open?.enabled, open?.tags]).toEqual([lost, true, undefined]);
    const [mark, ...more] = planReopenLost([{ ...lost, enabled: true }, back], stamp, names, NOW);
    expect([mark?.enabled, mark?.tags, more]).toEqual([undefined, restored(1), []]);
    expect(planReopenLost([{ ...lost, enabled: false, tags: restored(1) }, back], stamp, names, NOW)).toEqual([]);
  });

  it('planReopenLost changes no version that was revoked again right before the write', () => {
    const [open] = planReopenLost([lost, back], stamp, names, NOW);
    expect(open?.again?.(revoked(1))).toEqual({});
  });

  it.each<[string, KeyVersion[]]>([
    ['a newer revocation is open', [lost, back, revoked(3, { tags: record(3, later) })]],
    ['this one is not restored', [lost, keyVersion(2)]],
    ['the version has no tombstone', [keyVersion(1, { enabled: false }), back]],
    ['it carries a record', [revoked(1), back]],
  ])('planReopenLost changes nothing when %s', (_, versions) =>
    expect(planReopenLost(versions, stamp, names, NOW)).toEqual([]),
  );

  it('planReopenLost does not enable a version that was disabled before the revocation', () => {
    expect(planReopenLost([lost, back], stamp, new Map([[versionName(1), false]]), NOW)).toEqual([]);
  });
});

describe('planJoin', () => {
  it('planJoin adds the caller of a concurrent revocation whose record was replaced to the remaining record', () => {
    const versions = [revoked(1), revoked(2, { tags: record(2, { ...later, revokedBy: BOB }) })];
    const others = [versions[1] as KeyVersion];
    const [join] = planJoin(others, stamp, NOW);
    expect(join?.tags).toEqual(record(2, { ...later, revokedBy: BOB, joined: [shortOf(stamp.revokedBy)] }));
    expect(join?.enabled).toBeUndefined();
    expect(planJoin(versions, stamp, NOW)).toEqual([]);
    expect(join?.again?.(revoked(2, { tags: record(2, { ...later, revokedBy: BOB, restoringBy: CAROL }) }))).toEqual(
      {},
    );
  });

  it.each<[string, KeyVersion[]]>([
    ['its own record remains', [revoked(1)]],
    ['nothing is revoked', [keyVersion(1)]],
    ['the key is being restored', [revoked(1, { tags: record(1, { ...later, revokedBy: BOB, restoringBy: CAROL }) })]],
  ])('planJoin changes nothing when %s', (_, versions) => expect(planJoin(versions, stamp, NOW)).toEqual([]));
});

describe('planMark', () => {
  it('planMark marks the newest version with the record of the open revocation, and keeps its other tags', () => {
    const versions = [revoked(1), revoked(2, { tags: { ...record(2), owner: 'files' } }), keyVersion(3)];
    expect(planMark(versions, BOB, NOW)).toMatchObject([
      { version: { version: versionName(2) }, tags: { owner: 'files', ...record(2, { restoringBy: BOB }) } },
    ]);
    expect(planMark(versions, BOB, NOW)[0]?.enabled).toBeUndefined();
  });

  it('planMark marks a version with the record of the open revocation, not one that it joined', () => {
    expect(changed(planMark([revoked(1, { tags: record(1, later) }), revoked(2)], BOB, NOW))).toEqual([1]);
  });

  it.each<[string, KeyVersion[]]>([
    ['nothing is revoked', [keyVersion(1)]],
    ['there is only one record, which a newer revocation could replace at the same time', [revoked(1), keyVersion(2)]],
    ['it is marked already, by any caller', [revoked(1, { tags: record(1, { restoringBy: CAROL }) }), revoked(2)]],
  ])('planMark changes nothing when %s', (_, versions) => expect(planMark(versions, BOB, NOW)).toEqual([]));

  it('planMark does not replace a newer record or an erased one', () => {
    const [mark] = planMark([revoked(1), revoked(2)], BOB, NOW);
    expect(mark?.again?.(revoked(2, { tags: record(2, later) }))).toEqual({});
    expect(mark?.again?.(keyVersion(2))).toEqual({});
    expect(mark?.again?.(revoked(2, { tags: { ...record(2), owner: 'new' } }))).toEqual({
      tags: { owner: 'new', ...record(2, { restoringBy: BOB }) },
    });
  });
});

describe('planReopen', () => {
  it('planReopen enables what the revocation or a joined one disabled, newest first, and changes no tag', () => {
    const versions = [revoked(1), revoked(2, { tags: record(2, later) }), keyVersion(3, { enabled: false })];
    const plan = planReopen(versions, { ...stamp, ...later }, NOW);
    expect(changed(plan)).toEqual([2, 1]);
    expect(plan.every(({ enabled, tags, again }) => enabled && !tags && !again)).toBe(true);
  });

  it.each<[string, KeyVersion]>([
    ['was disabled before', revoked(1, { tags: record(1, { wasEnabled: false }) })],
    ['is enabled already', revoked(1, { enabled: true })],
    ['a newer revocation disabled', revoked(1, { tags: record(1, later) })],
    ['has a record that a rotation copied', keyVersion(1, { enabled: false, tags: record(2) })],
  ])('planReopen does not change a version that %s', (_, version) =>
    expect(planReopen([version], stamp, NOW)).toEqual([]),
  );
});

describe('planClose', () => {
  it('planClose replaces every record that is not newer by a tombstone, and keeps the other tags', () => {
    const versions = [
      revoked(1, { enabled: true, tags: { ...record(1), owner: 'files' } }),
      revoked(2, { tags: record(2, { wasEnabled: false }) }),
      revoked(3, { tags: record(3, later) }),
      keyVersion(4),
    ];

    const plan = planClose(versions, stamp, BOB, NOW);
    expect(plan.map(({ enabled, tags }) => ({ enabled, tags }))).toEqual([
      { enabled: undefined, tags: restored(2) },
      { enabled: undefined, tags: { owner: 'files', ...restored(1) } },
    ]);
  });

  it('planClose needs no free tag beside the record that it replaces', () => {
    const { 'tag-0': _one, ...fourteen } = fullOfTags();
    expect(
      planClose([revoked(1, { enabled: true, tags: { ...fourteen, ...record(1) } })], stamp, BOB, NOW)[0]?.tags,
    ).toEqual({
      ...fourteen,
      ...restored(1),
    });
  });

  it('planClose does not replace a newer record or an erased one', () => {
    const [close] = planClose([revoked(1, { enabled: true })], stamp, BOB, NOW);
    expect(close?.again?.(revoked(1, { tags: record(1, later) }))).toEqual({});
    expect(close?.again?.(keyVersion(1))).toEqual({});
  });

  it('planClose keeps the record of a version that a late write disabled again, which needs it to be enabled', () => {
    const [close] = planClose([revoked(1, { enabled: true })], stamp, BOB, NOW);
    expect(close?.again?.(revoked(1))).toEqual({});
  });

  it('After planClose a key can be revoked again, and its old records open no revocation', () => {
    const [close] = planClose([revoked(1, { enabled: true })], stamp, BOB, NOW);
    const after = [keyVersion(1, { tags: close?.tags ?? {} }), revoked(2)];
    expect(readRevocation(after, NOW)).toMatchObject({ open: undefined, restored: { id: 'f00d', restoredBy: BOB } });
    expect(close?.tags).not.toHaveProperty(REVOCATION_TAG);
  });
});

describe('planCloseLost', () => {
  const older = { id: 'older', revokedOn: new Date(stamp.revokedOn.getTime() - 1) };
  const plan = (...versions: KeyVersion[]) => planCloseLost(versions, stamp, BOB, NOW);

  it('planCloseLost writes one tombstone for a revocation whose record an older restore erased, and keeps the other tags', () => {
    const first = keyVersion(1, { enabled: false, tags: { owner: 'files', ...restored(1, older) } });
    expect(plan(first).map(({ enabled, tags }) => [enabled, tags])).toEqual([
      [undefined, { owner: 'files', ...restored(1) }],
    ]);
    expect(changed(plan(first, keyVersion(2)))).toEqual([2]);
  });

  it('planCloseLost skips a version without a free tag', () => {
    expect(changed(plan(keyVersion(1), keyVersion(2, { tags: fullOfTags() })))).toEqual([1]);
  });

  it.each<[string, KeyVersion[]]>([
    ['the tombstone is there already', [keyVersion(1, { tags: restored(1) }), keyVersion(2)]],
    ['a newer tombstone is there', [keyVersion(1, { tags: restored(1, later) })]],
    ['no version has a free tag', [keyVersion(1, { tags: fullOfTags() })]],
  ])('planCloseLost writes nothing when %s', (_, versions) => expect(plan(...versions)).toEqual([]));

  it('planCloseLost does not replace a record that was written meanwhile', () => {
    const [change] = plan(keyVersion(1));
    expect(change?.again?.(revoked(1, { tags: record(1, later) }))).toEqual({});
  });
});
