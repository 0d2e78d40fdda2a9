import { describe, expect, it } from 'vitest';
import { PROTECTION_CHECKS } from '../../../src/drift/checks/checks.ts';
import { evaluate } from '../../../src/drift/checks/evaluate.ts';
import type { AccountSubject } from '../../../src/drift/checks/subjects.ts';
import { type Cases, describeChecks } from './describe-checks.ts';
import { account, rules, subject } from './subjects.ts';

const ALL = ['dfs', 'web', 'blob', 'queue', 'table', 'file'];
const REQUIRED = rules({ require: [{ kind: 'all' }] });
const under = (keyType: string) => ({ queue: { enabled: true, keyType }, table: { enabled: true, keyType } });
const holding = (endpoints: readonly string[] | undefined, services: object = {}, change: object = {}) =>
  subject({ account: account({ ...(endpoints ? { endpoints } : {}), encryption: { services } }), ...change });
const own: Cases<AccountSubject> = {
  found: [
    ['made without asking for it', holding(ALL), /Microsoft-managed key, so a revocation .* readable/],
    ['made so on purpose', holding(ALL, under('Service')), /Microsoft-managed key/],
  ],
  right: [
    ['under the key', holding(ALL, under('Account'))],
    ['under the key, in other letter case', holding(ALL, under('account'))],
    ['it has none', holding(['file'])],
    ['Azure does not show what it has', holding(undefined)],
    ['no customer-managed key', holding(ALL, {}, { use: undefined, key: undefined })],
  ],
};
const scoped = (enabled: boolean) =>
  subject({ platformScopes: [{ name: 'plain', enabled, keyUri: undefined }], account: account({ tags: {} }) });

describeChecks(
  PROTECTION_CHECKS,
  {
    QueueOnServiceKey: own,
    TableOnServiceKey: own,
    ScopeNotCustomerManaged: {
      found: [
        ['where a key is required', scoped(true), /^The encryption scope plain uses /, REQUIRED],
        [
          'tagged with a key',
          { ...scoped(true), account: account({ tags: { 'cmk-key': 'kv-files/files-key' } }) },
          /no revocation blocks/,
        ],
      ],
      right: [
        ['in an account that need not', scoped(true)],
        ['disabled: its data cannot be read', scoped(false), REQUIRED],
        ['none', subject(), REQUIRED],
      ],
    },
  },
  account().id,
  { 'its scopes': subject() },
);

describe('the check of queues and tables', () => {
  it.each([
    ['no policy requires a key', rules(), 'advice'],
    ['a key is required', REQUIRED, 'error'],
  ] as const)(
    'The check of queues and tables reports those on keys of Microsoft, where %s, as: %s',
    (_, by, severity) => {
      const found = evaluate(PROTECTION_CHECKS, holding(ALL), account().id, by);
      expect(found.map((finding) => [finding.reason, finding.severity])).toEqual([
        ['QueueOnServiceKey', severity],
        ['TableOnServiceKey', severity],
      ]);
    },
  );
});
