import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shorten } from '../../src/drift/causes.ts';
import { ALL_CHECKS } from '../../src/drift/checks/checks.ts';
import { countFindings, exemptionStates, unseenFindings, withHistory } from '../../src/drift/checks/evaluate.ts';
import { SCOPE_LISTS, scopeTurns } from '../../src/drift/gather/scope-turns.ts';
import { driftPage, PAGE_POLICY } from '../../src/drift/http/page.ts';
import { STYLE } from '../../src/drift/http/page-style.ts';
import { DRIFT_REPORT, driftReportSchema, type Finding, type WholeReport } from '../../src/drift/report.ts';
import { parseDeadLetters } from '../../src/drift/store/dead-letters.ts';
import { prefers } from '../../src/http/accept.ts';
import { openApiDocument } from '../../src/open-api.ts';
import { FIXABLE } from '../../src/settings/fixable.ts';
import { driftSchedule } from '../../src/settings/timer-schedules.ts';
import { account, NOW, rules } from './checks/subjects.ts';
import { finding, report } from './reports.ts';

describe('the JSON Schema of the report', () => {
  it('is the one that is published, docs/drift-report.schema.json', () => {
    const published = readFileSync(new URL('../../docs/drift-report.schema.json', import.meta.url), 'utf8');
    expect(JSON.parse(published)).toEqual(JSON.parse(JSON.stringify(driftReportSchema())));
  });

  it('is what the API document has, and what a report keeps to', () => {
    const { components } = openApiDocument() as { components: { schemas: Record<string, { required?: string[] }> } };
    expect(components.schemas.DriftReport?.required).toEqual((driftReportSchema() as { required: string[] }).required);
    const short = shorten(report());
    expect(DRIFT_REPORT.parse(JSON.parse(JSON.stringify(short)))).toEqual(short);
  });
});

describe('docs/drift.md', () => {
  const text = readFileSync(new URL('../../docs/drift.md', import.meta.url), 'utf8');

  it('has each check with its severity and its promise, in the order of the tables', () => {
    const rows = [...text.matchAll(/^\| `(\w+)` +\| (error|warning|advice) +\| (.+?) +\|$/gm)];
    expect(rows.map(([, reason, severity, ensures]) => ({ reason, severity, ensures }))).toEqual(
      ALL_CHECKS.map(({ reason, severity, ensures }) => ({ reason, severity, ensures })),
    );
  });

  it('says of each reason that can be fixed what is done', () => {
    const fixing = text.slice(text.indexOf('## Fixing'), text.indexOf('## A new vault'));
    for (const reason of FIXABLE) expect(fixing).toContain(`\`${reason}\``);
  });
});

describe('the findings of a report', () => {
  it('come worst first, each once, exempt ones last', () => {
    const advice = finding({ id: 'f2', severity: 'advice', reason: 'NoExpiry' });
    const exempt = finding({ id: 'f3', exemption: { reason: 'CHG-1', until: '2026-07-01' } });
    const worst = finding({ id: 'f4', reason: 'KeyDisabled' });
    const ordered = withHistory([advice, exempt, finding(), finding(), worst], undefined, NOW);
    expect(ordered.map(({ id }) => id)).toEqual(['f4', 'f1', 'f2', 'f3']);
  });

  it('are counted without the exempt ones, and compared with the check before', () => {
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

  describe('of a check that could not read everything', () => {
    const day = 24 * 3_600_000;
    const at = (days: number) => new Date(NOW.getTime() + days * day);
    const first = report({ findings: [finding(), finding({ id: 'f2', since: at(-3).toISOString() })] });
    const unseen = unseenFindings([finding()], first, false, at(1));
    const second = report({ findings: [finding()], unseen, complete: false });

    it('do not take those that were not seen for gone, and keep since when they have been there', () => {
      expect(unseen).toEqual([{ id: 'f2', since: at(-3).toISOString(), lastSeen: first.startedOn }]);
      expect(countFindings([finding()], unseen, first)).toMatchObject({ new: 0, gone: 0 });
      const third = [finding(), finding({ id: 'f2' })];
      expect(withHistory(third, second, at(2)).map(({ since }) => since)).toEqual([
        NOW.toISOString(),
        at(-3).toISOString(),
      ]);
      expect(countFindings(withHistory(third, second, at(2)), [], second)).toMatchObject({ new: 0, gone: 0 });
    });

    it('forget them once everything was read, or for a week nobody saw them', () => {
      expect(unseenFindings([finding()], second, true, at(2))).toEqual([]);
      expect(countFindings([finding()], [], second)).toMatchObject({ gone: 1 });
      expect(unseenFindings([finding()], second, false, at(6.9))).toEqual(unseen);
      expect(unseenFindings([finding()], second, false, at(7.1))).toEqual([]);
    });

    it('are not Unreadable for ever: what was read by now is read', () => {
      const unread = report({ findings: [finding({ id: 'u1', reason: 'Unreadable' })] });
      expect(unseenFindings([], unread, false, at(1))).toEqual([]);
    });
  });

  it('that something could not be read is worse when it could not be read the time before', () => {
    const unread = finding({ reason: 'Unreadable', severity: 'warning' });
    const severity = (previous?: WholeReport) => withHistory([unread], previous, NOW).map((one) => one.severity);
    expect(severity()).toEqual(['warning']);
    expect(severity(report({ findings: [finding({ id: 'f2' })] }))).toEqual(['warning']);
    expect(severity(report({ findings: [unread] }))).toEqual(['error']);
  });

  it('say of an exemption only what is known of it', () => {
    const exemption = { resource: '*', code: 'NoExpiry', reason: 'CHG-1', until: '2026-07-01' } as const;
    const by = rules({ exemptions: [exemption, { ...exemption, until: '2026-05-31' }] });
    const states = (complete: boolean, ...findings: Finding[]) =>
      exemptionStates(findings, complete, by).map(({ state }) => state);
    expect(states(true)).toEqual(['unused', 'over']);
    expect(states(false)).toEqual(['unknown', 'over']);
    expect(states(false, finding({ reason: 'NoExpiry' }))).toEqual(['inUse', 'over']);
  });
});

describe('the page', () => {
  const nasty = '"><img src=x onerror=alert(1)><script>alert(2)</script>&<!--';

  it('shows every text of a report as text', () => {
    const text = driftPage(
      report({
        id: nasty,
        findings: [
          finding({
            resource: nasty,
            is: nasty,
            shouldBe: nasty,
            fix: nasty,
            command: nasty,
            reason: nasty,
            cause: { id: nasty, reason: nasty, about: [nasty] },
          }),
          finding({ id: 'f2', resource: nasty, exemption: { reason: nasty, until: nasty } }),
        ],
        fixes: [{ finding: 'f1', reason: nasty, resource: nasty, outcome: 'failed', detail: nasty }],
        exemptions: [{ resource: nasty, code: nasty, reason: nasty, until: nasty, state: 'over' }],
        autofix: [nasty],
      }),
    );
    expect(text).not.toMatch(/<(img|script)|<!--/i);
    expect(text).toContain('&lt;img src=x onerror=alert(1)&gt;');
  });

  it('lets nothing out of a text, whatever it is', () => {
    const empty = driftPage(report({ findings: [finding({ is: '' })] }));
    const tags = (page: string): string[] => page.match(/<[^>]*>/g) ?? [];
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('<', '>', '"', "'", '&', '/', '=', 'a', '`') }), (is) => {
        expect(tags(driftPage(report({ findings: [finding({ is })] })))).toEqual(tags(empty));
      }),
    );
  });

  it('takes out characters that turn text around', () => {
    expect(driftPage(report({ findings: [finding({ is: 'a\u202eb' })] }))).toContain('<dd>ab</dd>');
  });

  it('has one style, known by its hash, no script, and nothing to fetch', () => {
    const page = driftPage(report());
    expect(PAGE_POLICY).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]{43}='/);
    expect(page).toContain(`<style>${STYLE}</style>`);
    expect(page).not.toMatch(/<script|style="|https?:\/\/(?!kv-)/i);
  });

  it('stays small enough to read, whatever the number of findings', () => {
    const findings = Array.from({ length: 5_000 }, (_, n) => finding({ id: `f${n}`, resource: `${account().id}${n}` }));
    const page = driftPage(report({ findings }));
    expect(page).toContain('5000 resources: stfiles010,');
    expect(page).toContain('and 4995 more: GET /drift/{report}/findings?cause=c1 has all 5000 findings.');
    expect(page.length).toBeLessThan(10_000);
  });

  it('stays small enough to read, whatever the number of causes', () => {
    const findings = Array.from({ length: 5_000 }, (_, n) => {
      const cause = { id: `c${n}`, reason: 'StaleKeyVersion', about: [`https://kv-files.vault.azure.net/keys/k${n}`] };
      return finding({ id: `f${n}`, cause });
    });
    const page = driftPage(report({ findings }));
    expect(page).toContain('4994 more causes');
    expect(page).toContain('4894 more are in the JSON report.');
    expect(page.length).toBeLessThan(50_000);
  });

  it('says what it leaves out, in every list', () => {
    const exemption = { reason: 'CHG-1', until: '2026-07-01' };
    const findings = Array.from({ length: 103 }, (_, n) =>
      finding({ id: `f${n}`, cause: { id: `c${n}`, reason: 'NoExpiry', about: [`r${n}`] }, exemption }),
    );
    const fixes = findings.map(({ id, resource }) => ({
      finding: id,
      reason: 'StaleKeyVersion',
      resource,
      outcome: 'failed' as const,
      detail: 'd',
    }));
    expect(driftPage(report({ findings, fixes })).match(/3 more are in the JSON report\./g)).toHaveLength(2);
  });

  it('has the command to copy, and says that there are more', () => {
    const findings = Array.from({ length: 7 }, (_, n) => finding({ id: `f${n}`, command: `cmk account pin 'a&${n}'` }));
    const page = driftPage(report({ findings }));
    expect(page).toContain('<pre>cmk account pin &#39;a&amp;0&#39;\n');
    expect(page).toContain('# and 2 more, one for each</pre>');
  });

  it('says what became of fixing', () => {
    const fixes = (['enqueued', 'done', 'failed'] as const).map((outcome, n) => ({
      finding: `f${n}`,
      reason: 'StaleKeyVersion',
      resource: 'r',
      outcome,
      detail: 'd',
    }));
    const findings = fixes.map((fix) => finding({ id: fix.finding }));
    expect(driftPage(report({ findings, fixes }))).toContain('<dd>1 enqueued, 1 done, 1 failed</dd>');
  });

  it('says how to let the app fix without taking anything else from it', () => {
    const page = driftPage(report({ autofix: ['NearExpiry'] }));
    expect(page).toContain('the app can, with StaleKeyVersion in CMK_AUTOFIX');
    expect(driftPage(report({ autofix: ['StaleKeyVersion'] }))).toContain('the app fixes it');
  });

  it('calls one thing one', () => {
    const one = report({ findings: [finding()], counts: { ...report().counts, error: 1, warning: 2, new: 1 } });
    const page = driftPage(one);
    expect(page).toContain('<strong>1</strong>error</li>');
    expect(page).toContain('<strong>2</strong>warnings</li>');
    expect(page).toContain('1 vault, 1 key, 1 storage account in 0 subscriptions; 1 of them depends on a managed key.');
  });

  it('has a heading that names each of its parts', () => {
    const page = driftPage(report());
    const labels = [...page.matchAll(/aria-labelledby="([^"]+)"/g)].map((match) => match[1]);
    expect(labels.length).toBeGreaterThan(1);
    for (const id of labels) expect(page).toMatch(new RegExp(`<h2 id="${id}">`));
  });

  it('does not ask to remove an exemption when it is not known whether it does anything', () => {
    const exemption = { resource: '*', code: 'NoExpiry', reason: 'CHG-1', until: '2026-07-01' };
    const page = (state: 'unused' | 'unknown') => driftPage(report({ exemptions: [{ ...exemption, state }] }));
    expect(page('unused')).toContain('Exemptions to remove');
    expect(page('unknown')).not.toContain('Exemptions to remove');
  });

  it('says when everything is in order, and when not everything was read', () => {
    expect(driftPage(report({ findings: [] }))).toContain('everything is as it should be');
    expect(driftPage(report({ complete: false }))).toContain('Not everything could be read');
  });

  it.each([
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', true],
    ['text/html', true],
    ['application/json', false],
    ['*/*', false],
    ['', false],
    ['application/json, text/html;q=0.5', false],
    ['text/html;q=0', false],
  ])('is for whoever accepts %s: %s', (accept, page) => {
    expect(prefers(accept, 'text/html')).toBe(page);
  });
});

describe('whose encryption scopes have their turn', () => {
  const fleet = (size: number) =>
    Array.from({ length: size }, (_, n) => account({ id: `${account().id}${n}`, subscriptionId: 's1' }));
  const checked = (accounts: number, round: number, findings: Finding[] = []) =>
    report({
      findings,
      coverage: {
        ...report().coverage,
        round,
        subscriptions: [{ id: 's1', accounts, scopesLookedAt: 0, complete: true, resumed: false }],
      },
    });

  it('a small subscription: all of them, every time', () => {
    const turn = scopeTurns(checked(SCOPE_LISTS, 7));
    expect(fleet(SCOPE_LISTS).every(turn)).toBe(true);
  });

  it('the first check of a large one: as many as a check may list', () => {
    expect(fleet(500).filter(scopeTurns(undefined))).toHaveLength(SCOPE_LISTS);
  });

  it('a large one: each account once in so many checks', () => {
    const turns = Array.from({ length: 10 }, (_, round) =>
      fleet(400)
        .filter(scopeTurns(checked(400, round)))
        .map(({ id }) => id),
    );
    expect(new Set(turns.flat()).size).toBe(400);
    expect(turns.flat()).toHaveLength(400);
  });

  it('an account whose scope had a finding: every time', () => {
    const [first, ...rest] = fleet(400);
    if (!first) throw new Error('unreachable');
    const stale = finding({ reason: 'ScopeStaleKeyVersion', resource: `${first.id}/encryptionScopes/scope1` });
    for (let round = 0; round < 10; round += 1) expect(scopeTurns(checked(400, round, [stale]))(first)).toBe(true);
    expect(rest.length).toBe(399);
  });
});

describe('dead letters', () => {
  const at = NOW;

  it.each([
    ['CloudEvents', { source: 's', type: 't', deadletterreason: 'r', lastdeliveryoutcome: 'o' }],
    ['the Event Grid schema', { topic: 's', eventType: 't', deadLetterReason: 'r', lastDeliveryOutcome: 'o' }],
  ])('are read in %s', (_, event) => {
    const read = [{ source: 's', type: 't', reason: 'r', lastOutcome: 'o', writtenOn: at }];
    expect(parseDeadLetters(JSON.stringify([event]), at)).toEqual(read);
    expect(parseDeadLetters(JSON.stringify(event), at)).toEqual(read);
  });

  it.each([undefined, '', 'no json', '"text"', '[1,null]'])('are none in %s', (content) => {
    expect(parseDeadLetters(content, at)).toEqual([]);
  });
});

describe('the schedule', () => {
  it.each([
    [undefined, '0 0 * * * *'],
    ['', '0 0 * * * *'],
    ['every hour', '0 0 * * * *'],
    ['0 */10 * * * *', '0 */10 * * * *'],
  ])('is, when set to %s, %s', (set, schedule) => {
    expect(driftSchedule({ CMK_DRIFT_SCHEDULE: set })).toBe(schedule);
  });
});
