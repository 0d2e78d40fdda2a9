import { describe, expect, it } from 'vitest';
import { APP_CHECKS } from '../../../src/drift/checks/checks.ts';
import { evaluate } from '../../../src/drift/checks/evaluate.ts';
import type { AppSubject } from '../../../src/drift/checks/subjects.ts';
import { type Cases, describeChecks } from './describe-checks.ts';
import {
  account,
  app,
  closedOff,
  DAYS,
  eventSubscriptions,
  NOW,
  poisoned,
  rules,
  UNREAD,
  unreadPart,
} from './subjects.ts';

const broken = { reason: 'LineChanged', file: '2026-11-24.jsonl', line: 7, message: 'It was changed.' } as const;

const [watch, second] = (() => {
  const part = eventSubscriptions();
  const [first] = 'value' in part ? part.value.subscriptions : [];
  const [one, two] = rules().wantedWatches.map((wanted) => first && { ...first, ...wanted });
  if (!one || !two) throw new Error('The fixture has them.');
  return [one, two];
})();

const watched = (...subscriptions: (typeof watch)[]) => ({
  subscription: '11111111-1111-1111-1111-111111111111',
  events: { topic: undefined, topicUnreadable: undefined, subscriptions },
});

const daysAgo = (days: number): string => new Date(NOW.getTime() - days * DAYS).toISOString();
/** The last drill of a key, and when one last passed. */
const drilled = (last: number, passed?: number) => ({
  key: `https://kv-files.vault.azure.net/keys/drill-${last}`,
  on: daysAgo(last),
  passed: last === passed,
  ...(passed === undefined ? {} : { passedOn: daysAgo(passed) }),
});

const apps: Record<string, Cases<AppSubject>> = {
  SelfLockout: {
    found: [['its own storage', app({ lockedOutBy: [{ account: account().id, key: 'k' }] }), /own storage uses k/]],
    right: [['no', app()]],
  },
  PoisonMessages: {
    found: [
      ['one', poisoned(1), /a message/],
      ['some', poisoned(7), /about 7 messages/],
    ],
    right: [['none', poisoned(0)]],
  },
  AuditTrailBroken: {
    found: [
      ['a changed record', app({ trail: [broken] }), /2026-11-24\.jsonl, line 7: LineChanged\. It was changed\.$/],
      ['many', app({ trail: [broken, broken, broken] }), /And 2 more\.$/],
      ['a file', app({ trail: [{ reason: 'FileMissing', file: 'f', message: 'Gone.' }] }), /^f: FileMissing\. Gone\.$/],
    ],
    right: [
      ['nothing', app({ trail: [] })],
      ['that was not looked at', app()],
    ],
  },
  DrillOverdue: {
    found: [
      ['none', app({ drills: [] }), /^No drill has passed\.$/, rules({ drillInterval: 'P30D' })],
      ['none that passed', app({ drills: [drilled(1)] }), /^No drill/, rules({ drillInterval: 'P30D' })],
      ['long ago', app({ drills: [drilled(31, 31), drilled(90, 90)] }), /was on /, rules({ drillInterval: 'P30D' })],
    ],
    right: [
      ['not expected', app({ drills: [] })],
      ['in time', app({ drills: [drilled(90, 90), drilled(29, 29)] }), rules({ drillInterval: 'P30D' })],
      ['the last failed', app({ drills: [drilled(1, 29)] }), rules({ drillInterval: 'P30D' })],
      ['never read', app(), rules({ drillInterval: 'P30D' })],
    ],
  },
  ChangesNotWatched: {
    found: [
      [
        'none',
        app({ watches: [watched()] }),
        /^No event subscription cmk-func-cmk-resourceChanged delivers .* No .*-resourceChanged2 /,
      ],
      [
        'only the first',
        app({ watches: [watched(watch)] }),
        /^No .* cmk-func-cmk-resourceChanged2 delivers changes in it to \S+resourceChanged\.$/,
      ],
      [
        'a narrower one',
        app({ watches: [watched({ ...watch, filters: watch.filters.slice(1) }, second)] }),
        /Its filter passes operations/,
      ],
      [
        'its own writes',
        app({ watches: [watched({ ...watch, filters: watch.filters.slice(0, 1) }, second)] }),
        /Its filter passes operations/,
      ],
    ],
    right: [
      ['both', app({ watches: [watched(watch, second)] })],
      ['not wanted', app({ watches: [watched()] }), { ...rules(), wantedWatches: [] }],
    ],
  },
  MissingPermission: {
    found: [
      ['a refusal', app({ unread: [unreadPart, unreadPart] }), /may not read the vault/],
      ['a firewall', app({ unread: [closedOff] }), /Client address is not authorized/],
    ],
    right: [
      ['none', app()],
      ['other trouble', app({ unread: [{ ...unreadPart, kind: 'throttled' }] })],
    ],
  },
  SettingsInvalid: {
    found: [['a problem', app({ settingsProblems: ['CMK_AUTOFIX names something'] }), /CMK_AUTOFIX/]],
    right: [['none', app()]],
  },
  Unreadable: {
    found: [['anything', app({ unread: [unreadPart] }), /Not read: the vault/]],
    right: [['nothing', app()]],
  },
};

it('an unreadable part that nothing depends on is advice', () => {
  const beside = app({ unread: [{ ...unreadPart, isOptional: true }] });
  expect(evaluate(APP_CHECKS, beside, 'app', rules()).map(({ reason, severity }) => [reason, severity])).toEqual([
    ['MissingPermission', 'advice'],
    ['Unreadable', 'advice'],
  ]);
});

describeChecks(APP_CHECKS, apps, app().name, {
  'poison queues': app({ poison: UNREAD }),
  watches: app({ watches: [] }),
});

describe('app checks', () => {
  it('a caller that the network keeps out is not told to assign a role', () => {
    const check = APP_CHECKS.filter(({ reason }) => reason === 'MissingPermission');
    const of = (part: typeof unreadPart) => evaluate(check, app({ unread: [part] }), 'a', rules())[0]?.shouldBe;
    expect(of(unreadPart)).toContain('Microsoft.KeyVault/vaults/read');
    expect(of(closedOff)).toBe('The network rules permit the app.');
  });

  it.each([
    ['throttled', 'warning'],
    ['unavailable', 'warning'],
    ['timeUp', 'warning'],
    ['forbidden', 'error'],
    ['refused', 'error'],
    ['unexpected', 'error'],
  ] as const)('an unreadable part, %s, is at first: %s', (kind, severity) => {
    const check = APP_CHECKS.filter(({ reason }) => reason === 'Unreadable');
    const subject = app({ unread: [{ ...unreadPart, kind }] });
    expect(evaluate(check, subject, 'a', rules())).toMatchObject([{ severity }]);
  });
});
