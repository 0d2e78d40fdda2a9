import { beforeAll, describe, expect, it } from 'vitest';
import { ROUTES } from '../../src/api/routes.ts';
import { REASONS } from '../../src/errors/reasons.ts';
import { REFUSED_AFTER } from '../../src/probe/effect.ts';
import { METRICS } from '../../src/telemetry/telemetry.ts';
import type { DryAzure } from './arm/dry-azure.ts';
import { asArray, asString, at } from './arm/json.ts';
import { dryRun, dryRunEvents, MAIN_PARAMETERS, mainWith, OTHER_VAULT, VAULT } from './arm/templates.ts';
import { ALWAYS_THERE, errorsIn, OPTIONAL } from './kql.ts';
import { sources } from './sources.ts';

const RULES = 'Microsoft.Insights/scheduledQueryRules';
const CRITERION = ['criteria', 'allOf', 0] as const;

let azure: DryAzure;
let events: DryAzure;
let queries: string[];
beforeAll(async () => {
  const main = await dryRun('main', { ...MAIN_PARAMETERS, alertEmails: ['keys@example.com'], vaultDiagnostics: true });
  azure = main.azure;
  events = await dryRunEvents(main.outputs);
  const [workbook] = azure.values('Microsoft.Insights/workbooks', 'serializedData');
  const { items } = JSON.parse(String(workbook)) as { items: { content: { query?: string } }[] };
  queries = [
    ...azure.values(RULES, ...CRITERION, 'query').map(String),
    ...items.flatMap(({ content }) => content.query ?? []),
  ];
});

/** Literals that a query compares a column with. */
function compared(query: string, column: string): string[] {
  const equal = [...query.matchAll(new RegExp(`\\b${column} == ["']([^"']+)["']`, 'g'))].map((match) => match[1] ?? '');
  const within = [...query.matchAll(new RegExp(`\\b${column} in \\(([^)]*)\\)`, 'g'))].flatMap((match) =>
    [...(match[1] ?? '').matchAll(/["']([^"']+)["']/g)].map((literal) => literal[1] ?? ''),
  );
  return [...equal, ...within];
}

/** All but the one that the workbook asks of Resource Graph. */
const queriesOfLogs = (): string[] => queries.filter((query) => !query.startsWith('resources'));

/** Minutes in a duration of ISO 8601 as rules have them; NaN for none. */
function minutes(duration: unknown): number {
  const [, days, hours, minutes] = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?$/.exec(String(duration)) ?? [];
  if (!days && !hours && !minutes) return Number.NaN;

  return Number(days ?? 0) * 24 * 60 + Number(hours ?? 0) * 60 + Number(minutes ?? 0);
}

const queryOf = (name: string): string => {
  const rule = azure.ofType(RULES).find(({ id }) => id.endsWith(`-${name}`));
  return asString(at(rule?.body, 'properties', ...CRITERION, 'query'), name);
};

describe('the alert rules and the workbook', () => {
  it('The alert rules and the workbook query reason codes that the app writes', () => {
    const codes = queries.flatMap((query) => compared(query, 'reason'));
    expect(codes.length).toBeGreaterThan(5);
    expect(codes.filter((code) => !(code in REASONS))).toEqual([]);
  });

  it('The alert rules and the workbook query functions that the app has', () => {
    const named = queries
      .filter((query) => !/AzureDiagnostics|StorageQueueLogs/.test(query))
      .flatMap((query) => [...compared(query, 'OperationName'), ...compared(query, 'ran')]);
    expect(named).toEqual(expect.arrayContaining(['driftCheck', 'revokeKey']));
    const registered = sources('src/functions').flatMap(({ text }) =>
      [...text.matchAll(/(?:app\.\w+|on[A-Z]\w+)(?:<[^>]*>)?\(\s*'([^']+)'/g)].map((match) => match[1]),
    );
    registered.push(...ROUTES.map(({ id }) => id));
    expect(named.filter((name) => !registered.includes(name))).toEqual([]);
  });

  it('The alert rules and the workbook use the fields of the records themselves: the host may omit function and operation', () => {
    const ofRecords = queries.filter(
      (query) => query.includes('AppTraces') && !/AzureDiagnostics|Storage\w+Logs/.test(query),
    );
    expect(ofRecords.length).toBeGreaterThan(10);
    const columns = ofRecords.flatMap(
      (query) => query.replaceAll(/AppRequests[^)]*\)/g, '').match(/Operation(Id|Name)\b.{0,6}/g) ?? [],
    );
    // As what a record of an older version is told by.
    expect(columns.filter((use) => !use.startsWith('OperationName)'))).toEqual([]);
  });

  it('The alert rules and the workbook query metrics that the app sends', () => {
    const named = queries.filter((query) => query.includes('AppMetrics')).flatMap((query) => compared(query, 'Name'));
    expect(new Set(named)).toEqual(new Set([...Object.keys(METRICS), 'cmk.queue.age']));
  });

  it('The workbook shows the duration of a revocation by the figures in the log', () => {
    const shown = queries.flatMap((query) => [...query.matchAll(/\brefusedAfter\.(\w+)/g)].map(([, name]) => name));
    expect(new Set(shown)).toEqual(new Set(Object.keys(REFUSED_AFTER.shape)));
  });

  it('The alert rules and the workbook do not count a dry run as a revocation', () => {
    const query = queryOf('revocation-started');
    expect(compared(query, 'reason')).toEqual(['Revoked', 'RevocationIncomplete', 'KeptRevoked']);
    expect(query).not.toContain('AppRequests');
  });

  it('The alert rules run often enough to resolve themselves, where they are meant to', () => {
    // A log alert is resolved after some evaluations without it; the longest frequency with a rule for that is 12 hours
    // (Azure Monitor, "Create or edit a log search alert rule").
    for (const { id, body } of azure.ofType(RULES)) {
      if (at(body, 'properties', 'autoMitigate') === true) {
        expect(at(body, 'properties', 'evaluationFrequency'), id).toMatch(/^PT([1-9]M|[1-6]\dM|[1-6]H)$/);
      }
    }
  });

  it('The alert rules fire once for a lasting state, separately for each key, so that a muted one hides no other', () => {
    for (const { id, body } of azure.ofType(RULES)) {
      const { properties = null } = body;
      const by = asArray(at(properties, ...CRITERION, 'dimensions') ?? [], 'dimensions').map((one) => at(one, 'name'));
      const muted = at(properties, 'muteActionsDuration') !== undefined;

      // Azure refuses a rule that does both.
      expect(muted, id).toBe(at(properties, 'autoMitigate') === false);

      const query = String(at(properties, ...CRITERION, 'query'));
      if (muted) expect(by.filter((name) => !query.includes(String(name)))).toEqual([]);

      // What counts keys cannot tell them apart.
      if (!muted || id.endsWith('many-revocations')) continue;

      expect(by.length, id).toBeGreaterThan(0);

      if (/revocation|needs-a-person|poisoned/.test(id)) expect(by).toContain('key');
    }
  });

  it('The alert rules are silent on the first day about a check that has not run yet, and about rights that still propagate', () => {
    const begun = 'coalesce(todatetime("2026-11-01T08:00:00.0000000Z"), datetime(2026-01-01))';
    expect(queryOf('drift-silent')).toContain(`where runs == 0 and now() > ${begun} + 2d`);
    for (const name of ['missing-rights', 'drift-errors']) {
      expect(queryOf(name)).toContain(`TimeGenerated > ${begun} + 2h`);
    }
    // A revocation is news at any time.
    expect(queryOf('revocation-started')).not.toContain('datetime(');
  });

  it('The alert rules cover every promised failure', () => {
    expect(
      azure
        .names(RULES)
        .map((name) => name.replace('cmk-test-', ''))
        .sort(),
    ).toEqual([
      ...['audit-trail-broken', 'break-glass-refused', 'drift-errors', 'drift-silent', 'error-recorded'],
      ...['function-failed', 'key-needs-a-person', 'many-revocations', 'missing-rights', 'package-written'],
      ...['poisoned', 'queue-written', 'restore-refused', 'restored', 'revocation-open', 'revocation-started'],
      'rotation-held',
    ]);

    const lost = ['DeadLetteredCount', 'DroppedEventCount'];
    expect(events.values('Microsoft.Insights/metricAlerts', ...CRITERION, 'metricName')).toEqual([...lost, ...lost]);
  });

  it('The alert rules report who was denied a revocation or restore, by reasons that the app uses', () => {
    const becauseOf = (name: string) => compared(queryOf(name).replaceAll('tostring(r.because)', 'because'), 'because');
    const because = [...becauseOf('restore-refused'), ...becauseOf('break-glass-refused')];
    expect(because.filter((reason) => !(reason in REASONS))).toEqual([]);
    expect(becauseOf('restore-refused')).toEqual(expect.arrayContaining(['SecondPersonNeeded', 'PersonNeeded']));
    expect(compared(queryOf('break-glass-refused'), 'ran')).toEqual(
      expect.arrayContaining(['revokeKey', 'restoreKey']),
    );
    expect(becauseOf('break-glass-refused')).toContain('RoleMissing');
  });

  it('The alert rules and the workbook separate the revocations of callers from what the app disabled itself', () => {
    const query = queryOf('many-revocations');
    const [byCall = '', byItself = ''] = query.split(' or reason ');
    expect(compared(byCall, 'ran')).toEqual(['revokeKey']);
    expect(compared(`reason ${byItself}`, 'reason')).toEqual(['KeptRevoked']);
  });

  it('The alert rules report poison by its record, by the length of the queues, and by the words of the host', () => {
    const query = queryOf('poisoned');
    expect(compared(query, 'reason')).toEqual(['Poisoned', 'PoisonMessages']);
    // "Message has reached MaxDequeueCount of 5. Moving message to queue 'key-work-poison'."
    expect(query).toContain('or (Message has "MaxDequeueCount" and Message has "-poison")');
  });

  it('The alert rules report a failed function by the line of the host, in either table', () => {
    // Functions of queues send no request under OpenTelemetry (azure-sdk-for-net#49793).
    const line = "Executed 'Functions.reconcileKey' (Failed, Id=6f9619ff-8b86-d011-b42d-00cf4fc964ff, Duration=12ms)";

    for (const rule of ['function-failed', 'drift-errors']) {
      const query = queryOf(rule);
      const [, start = '-', word = '-', pattern = ''] =
        /\(AppTraces \| where Message startswith "([^"]+)" and Message has "(\w+)" \| extend ran = extract\(@"([^"]+)", 1, Message\)\)/.exec(
          query,
        ) ?? [];

      expect(line.startsWith(start), rule).toBe(true);
      expect(line).toMatch(new RegExp(`\\b${word}\\b`));
      expect(new RegExp(pattern).exec(line)?.[1]).toBe('reconcileKey');

      const [, event, ending = ''] =
        /\(AppExceptions \| where tostring\(Properties\.EventName\) == "(\w+)" \| extend ran = extract\(@"([^"]+)", 1, tostring\(Properties\.functionName\)\)\)/.exec(
          query,
        ) ?? [];
      expect(event, rule).toBe('FunctionCompleted');
      expect(new RegExp(ending).exec('Functions.reconcileKey')?.[1]).toBe('reconcileKey');
    }

    // An answer of 500 and more, for which no function has to fail.
    expect(queryOf('function-failed')).toContain('AppRequests | extend ran = OperationName | where Success == false');
  });

  it('The workbook shows in its break-glass table the records that raise alerts', () => {
    const table = queries.find((query) => query.includes('a dry run')) ?? '';
    const rules = ['revocation-started', 'many-revocations', 'restored', 'restore-refused', 'break-glass-refused'];
    const reasons = rules.flatMap((name) => compared(queryOf(name), 'reason'));
    expect(reasons).toEqual(expect.arrayContaining(['KeptRevoked', 'RestoreFinished', 'CallRefused']));
    expect(compared(table, 'reason')).toEqual(expect.arrayContaining(reasons));
    const calls = rules.flatMap((name) => compared(queryOf(name), 'ran'));
    expect(compared(table, 'ran')).toEqual(expect.arrayContaining(calls));
  });

  it('The queries of alert rules and workbook resolve in a workspace that has all tables, and in one that has those alone which always have rows', () => {
    const wrong = queriesOfLogs().flatMap((query) => [
      ...errorsIn(query, { ...ALWAYS_THERE, ...OPTIONAL }),
      ...errorsIn(query, ALWAYS_THERE),
      // Azure fails a fuzzy union of which no table is there.
      ...(Object.keys(ALWAYS_THERE).some((name) => query.includes(name)) ? [] : [`no table is there: ${query}`]),
    ]);
    expect(wrong).toEqual([]);
  });

  it('The queries of alert rules and workbook would be rejected with a table that may be missing, an unknown column or a word of the language as a name', () => {
    const rows = "AppExceptions | where tostring(Properties.EventName) == 'x'";

    expect(errorsIn(rows, { ...ALWAYS_THERE, ...OPTIONAL })).toEqual([]);

    for (const query of [rows, `union (AppTraces), (${rows})`, `AppTraces | join (${rows}) on TimeGenerated`]) {
      expect(errorsIn(query, ALWAYS_THERE)).toEqual([expect.stringContaining("'AppExceptions'")]);
    }

    expect(errorsIn(`union isfuzzy=true (AppTraces), (${rows})`, ALWAYS_THERE)).toEqual([]);
    expect(errorsIn('AppTraces | where Severity > 2', ALWAYS_THERE)).toEqual([expect.stringContaining("'Severity'")]);
    expect(errorsIn('AppTraces | summarize last = count()', ALWAYS_THERE)).toEqual([expect.stringContaining("'last'")]);
  });

  it('The alert rules look back further than to the last evaluation, as logs arrive up to ten minutes late, and mute what they find twice', () => {
    for (const { id, body } of azure.ofType(RULES)) {
      const minutesOf = (name: string) => minutes(at(body, 'properties', name));
      const window = minutesOf('windowSize');
      const mute = minutesOf('muteActionsDuration');

      expect(window, id).toBeGreaterThanOrEqual(minutesOf('evaluationFrequency') + 10);

      // A state that lasts is found for two days.
      if (!Number.isNaN(mute) && !id.endsWith('revocation-open')) expect(mute, id).toBeGreaterThanOrEqual(window);
    }
  });

  it('The alert rules are watched themselves: Azure Monitor disables a rule that fails for a week, and records that', () => {
    const [watch] = azure.ofType('Microsoft.Insights/activityLogAlerts');
    const group = azure.ofType('Microsoft.Insights/actionGroups')[0]?.id;
    expect(watch?.body.properties).toMatchObject({
      enabled: true,
      scopes: [expect.stringMatching(/\/resourceGroups\/rg-cmk-test$/)],
      condition: {
        allOf: [
          { field: 'category', equals: 'Administrative' },
          { field: 'operationName', equals: 'Microsoft.Insights/ScheduledQueryRules/disable/action' },
        ],
      },
      actions: { actionGroups: [{ actionGroupId: group }] },
    });
  });

  it('The alert rules leave no record of an error without an alert', () => {
    const [, left = ''] = /reason !in \(([^)]*)\)/.exec(queryOf('error-recorded')) ?? [];
    const leftToOthers = [...left.matchAll(/"(\w+)"/g)].map((match) => match[1] ?? '').sort();
    const others = ['poisoned', 'key-needs-a-person', 'rotation-held', 'missing-rights'].map(queryOf);
    expect(leftToOthers).toEqual(others.flatMap((query) => compared(query, 'reason')).sort());
    // Errors of the drift check have a rule of their own, and reach the operator who starts a check by hand.
    expect(queryOf('error-recorded')).toMatch(/SeverityLevel >= 3 and ran !in \("driftCheck", "runDriftCheck"\)/);
    expect(queryOf('drift-errors')).toMatch(/ran == "driftCheck" and SeverityLevel >= 3/);
  });

  it('The alert rules call the action group of the addresses, for events too', () => {
    const group = azure.ofType('Microsoft.Insights/actionGroups')[0]?.id;
    for (const groups of azure.values(RULES, 'actions', 'actionGroups')) expect(groups).toEqual([group]);
  });

  it('The workbook shows the workspace and the managed vaults', () => {
    const [text] = azure.values('Microsoft.Insights/workbooks', 'serializedData');
    expect(text).not.toContain('__');
    expect(text).toContain('https://kv-files.vault.azure.net');
  });
});

describe('the diagnostics', () => {
  const SETTINGS = 'Microsoft.Insights/diagnosticSettings';
  const STORAGE = ['StorageRead', 'StorageWrite', 'StorageDelete'];

  /** Log categories that a type has: one that it has not fails the deployment (Azure Monitor, "Supported logs for …"). */
  const CATEGORIES: readonly (readonly [on: RegExp, has: readonly string[]])[] = [
    [/\/storageAccounts\/\w+\/(?:blob|queue|table)Services\/default$/, STORAGE],
    [/Microsoft\.OperationalInsights\/workspaces\/[^/]+$/, ['Audit', 'SummaryLogs']],
    [/Microsoft\.KeyVault\/vaults\/[^/]+$/, ['AuditEvent', 'AzurePolicyEvaluationDetails']],
    [/Microsoft\.EventGrid\/systemTopics\/[^/]+$/, ['DeliveryFailures']],
  ];

  const covered = (from: DryAzure): string[] =>
    from.ofType(SETTINGS).map(({ id }) => id.split('/providers/Microsoft.Insights/')[0] ?? '');

  it('The diagnostics are on for the storage of the app, the workspace, the vaults and the topics', () => {
    const types = ['Storage/storageAccounts/blobServices', 'Storage/storageAccounts/queueServices'];
    const ours = [...types, 'Storage/storageAccounts/tableServices', 'OperationalInsights/workspaces'];
    const ids = ours.flatMap((type) => azure.ofType(`Microsoft.${type}`).map(({ id }) => id));
    expect(covered(azure).sort()).toEqual([...ids, VAULT, OTHER_VAULT].sort());
    expect(covered(events)).toEqual(events.ofType('Microsoft.EventGrid/systemTopics').map(({ id }) => id));
  });

  it('The diagnostics send existing categories to the workspace', () => {
    const workspace = azure.ofType('Microsoft.OperationalInsights/workspaces')[0]?.id;

    for (const { id, body } of [...azure.ofType(SETTINGS), ...events.ofType(SETTINGS)]) {
      expect(at(body, 'properties', 'workspaceId')).toBe(workspace);

      const part = (name: string) => asArray(at(body, 'properties', name) ?? [], name);
      const has = CATEGORIES.find(([on]) => on.test(id.split('/providers/Microsoft.Insights/')[0] ?? ''))?.[1] ?? [];
      const asked = part('logs').flatMap((log) => at(log, 'category') ?? []);

      expect(
        asked.filter((category) => !has.includes(String(category))),
        id,
      ).toEqual([]);

      const sent = part('logs').filter((one) => at(one, 'enabled') === true);
      expect(sent.length, id).toBeGreaterThan(0);

      // No query reads AzureMetrics; alerts on metrics ask the resource.
      expect(part('metrics'), id).toEqual([]);
    }
  });

  it('The diagnostics omit the vaults unless requested: their log costs by the requests of Storage', async () => {
    expect(covered(await mainWith({})).filter((id) => id.includes('Microsoft.KeyVault'))).toEqual([]);
  });
});
