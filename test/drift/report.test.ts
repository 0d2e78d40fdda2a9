import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createOpenApiDocument } from '../../src/api/openapi.ts';
import { ROUTES } from '../../src/api/routes.ts';
import { countFindings, findUnseenFindings, withHistory } from '../../src/drift/checks/evaluate.ts';
import { SCOPE_LISTS, selectScopesDue } from '../../src/drift/gather/gather-subscription.ts';
import { shorten } from '../../src/drift/report/causes.ts';
import {
  createDriftReportSchema,
  DRIFT_REPORT,
  type Finding,
  type WholeReport,
} from '../../src/drift/report/report.ts';
import { parseDeadLetters } from '../../src/drift/store/app-state-client.ts';
import { FIXABLE } from '../../src/settings/exemption.ts';
import { account, NOW } from './checks/subjects.ts';
import { finding, report } from './reports.ts';

describe('the JSON Schema of the report', () => {
  it('The JSON Schema of the report is the published one, docs/reference/drift-report.schema.json', () => {
    const published = readFileSync(new URL('../../docs/reference/drift-report.schema.json', import.meta.url), 'utf8');
    expect(JSON.parse(published)).toEqual(JSON.parse(JSON.stringify(createDriftReportSchema())));
  });

  it('The JSON Schema of the report is part of the API document, and every report satisfies it', () => {
    const { components } = createOpenApiDocument(ROUTES) as {
      components: { schemas: Record<string, { required?: string[] }> };
    };
    expect(components.schemas.DriftReport?.required).toEqual(
      (createDriftReportSchema() as { required: string[] }).required,
    );
    const short = shorten(report());
    expect(DRIFT_REPORT.parse(JSON.parse(JSON.stringify(short)))).toEqual(short);
  });
});

describe('docs/reference/drift-checks.md', () => {
  const text = readFileSync(new URL('../../docs/reference/drift-checks.md', import.meta.url), 'utf8');

  it('The reference of the drift checks states the fix of each reason that can be fixed', () => {
    const fixing = text.slice(text.indexOf('## What it fixes'), text.indexOf('## Exempt a finding'));
    for (const reason of FIXABLE) expect(fixing).toContain(`\`${reason}\``);
  });
});

describe('the findings of a report', () => {
  it('The findings of a report are sorted by severity, each once, exempt ones last', () => {
    const advice = finding({ id: 'f2', severity: 'advice', reason: 'NoExpiry' });
    const exempt = finding({ id: 'f3', exemption: { reason: 'CHG-1', until: '2026-07-01' } });
    const worst = finding({ id: 'f4', reason: 'KeyDisabled' });
    const ordered = withHistory([advice, exempt, finding(), finding(), worst], undefined, NOW);
    expect(ordered.map(({ id }) => id)).toEqual(['f4', 'f1', 'f2', 'f3']);
  });

  it('The findings of a report are counted without the exempt ones, and compared with the previous check', () => {
    const before = report({ findings: [finding(), finding({ id: 'gone' })] });
    const now = [finding(), finding({ id: 'f2', exemption: { reason: 'x', until: '2026-07-01' } })];

    expect(countFindings(now, [], before)).toEqual({
      error: 1,
      warning: 0,
      advice: 0,
      exempt: 1,
      new: 1,
      gone: 1,
      unseen: 0,
    });
  });

  it('The findings of a report keep the author of a change', () => {
    const write = { operation: 'Microsoft.Storage/storageAccounts/write', resource: finding().resource };
    const changedBy = { ...write, on: NOW.toISOString(), confirmed: false };
    const before = report({ findings: [finding({ changedBy })] });
    expect(withHistory([finding()], before, NOW)).toMatchObject([{ changedBy }]);
  });

  describe('of a check that could not read everything', () => {
    const day = 24 * 3_600_000;
    const at = (days: number) => new Date(NOW.getTime() + days * day);
    const first = report({ findings: [finding(), finding({ id: 'f2', since: at(-3).toISOString() })] });
    const unseen = findUnseenFindings([finding()], first, false, at(1));
    const second = report({ findings: [finding()], unseen, complete: false });

    it('The findings that a check could not see keep the time since when they have been open', () => {
      expect(unseen).toEqual([{ id: 'f2', since: at(-3).toISOString(), lastSeen: first.startedOn }]);
      expect(countFindings([finding()], unseen, first)).toMatchObject({ new: 0, gone: 0 });
      const third = [finding(), finding({ id: 'f2' })];
      expect(withHistory(third, second, at(2)).map(({ since }) => since)).toEqual([
        NOW.toISOString(),
        at(-3).toISOString(),
      ]);
      expect(countFindings(withHistory(third, second, at(2)), [], second)).toMatchObject({ new: 0, gone: 0 });
    });

    it('The findings that a check could not see are dropped once everything was read, or after a week', () => {
      expect(findUnseenFindings([finding()], second, true, at(2))).toEqual([]);
      expect(countFindings([finding()], [], second)).toMatchObject({ gone: 1 });
      expect(findUnseenFindings([finding()], second, false, at(6.9))).toEqual(unseen);
      expect(findUnseenFindings([finding()], second, false, at(7.1))).toEqual([]);
    });

    it('The finding Unreadable is dropped once its resource was read', () => {
      const unread = report({ findings: [finding({ id: 'u1', reason: 'Unreadable' })] });
      expect(findUnseenFindings([], unread, false, at(1))).toEqual([]);
    });
  });

  it('The finding Unreadable has a higher severity for what could not be read the time before either', () => {
    const unread = finding({ reason: 'Unreadable', severity: 'warning' });
    const severity = (previous?: WholeReport) => withHistory([unread], previous, NOW).map((one) => one.severity);
    expect(severity()).toEqual(['warning']);
    expect(severity(report({ findings: [finding({ id: 'f2' })] }))).toEqual(['warning']);
    expect(severity(report({ findings: [unread] }))).toEqual(['error']);
  });
});

describe('the encryption scopes that are due in a check', () => {
  const fleet = (size: number) =>
    Array.from({ length: size }, (_, n) => account({ id: `${account().id}${n}`, subscriptionId: 's1' }));

  const checked = (accounts: number, round: number, findings: Finding[] = []) =>
    report({
      findings,
      coverage: {
        ...report().coverage,
        round,
        subscriptions: [{ id: 's1', accounts, scopesLookedAt: 0, complete: true }],
      },
    });

  it('The scopes of all accounts of a small subscription are due every time', () => {
    const turn = selectScopesDue(checked(SCOPE_LISTS, 7));
    expect(fleet(SCOPE_LISTS).every(turn)).toBe(true);
  });

  it('The scopes of as many accounts of a large subscription as a check may list are due in the first check', () => {
    expect(fleet(500).filter(selectScopesDue(undefined))).toHaveLength(SCOPE_LISTS);
  });

  it('The scopes of each account of a large subscription are due once in a cycle of checks', () => {
    const turns = Array.from({ length: 10 }, (_, round) =>
      fleet(400)
        .filter(selectScopesDue(checked(400, round)))
        .map(({ id }) => id),
    );
    expect(new Set(turns.flat()).size).toBe(400);
    expect(turns.flat()).toHaveLength(400);
  });

  it('The scopes of an account are due every time if one of them had a finding', () => {
    const [first, ...rest] = fleet(400);
    if (!first) throw new Error('unreachable');
    const stale = finding({ reason: 'ScopeStaleKeyVersion', resource: `${first.id}/encryptionScopes/scope1` });
    for (let round = 0; round < 10; round += 1) expect(selectScopesDue(checked(400, round, [stale]))(first)).toBe(true);
    expect(rest.length).toBe(399);
  });
});

describe('dead letters of Event Grid', () => {
  const at = NOW;

  it.each([
    ['CloudEvents', { source: 's', type: 't', deadletterreason: 'r', lastdeliveryoutcome: 'o' }],
    ['the Event Grid schema', { topic: 's', eventType: 't', deadLetterReason: 'r', lastDeliveryOutcome: 'o' }],
  ])('Dead letters of Event Grid are read in %s', (_, event) => {
    const read = [{ source: 's', type: 't', reason: 'r', lastOutcome: 'o', writtenOn: at }];
    expect(parseDeadLetters(JSON.stringify([event]), at)).toEqual(read);
    expect(parseDeadLetters(JSON.stringify(event), at)).toEqual(read);
  });

  it.each([undefined, '', 'no json', '"text"', '[1,null]'])(
    'Dead letters of Event Grid are rejected in the form %s',
    (content) => {
      expect(parseDeadLetters(content, at)).toEqual([]);
    },
  );
});
