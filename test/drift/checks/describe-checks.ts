import { describe, expect, it } from 'vitest';
import type { Check } from '../../../src/drift/checks/check.ts';
import { evaluate } from '../../../src/drift/checks/evaluate.ts';
import type { Rules } from '../../../src/drift/checks/subjects.ts';
import { commandOf, kindOf, PRINTED } from '../printed-commands.ts';
import { rules } from './subjects.ts';

/** What a check says of subjects; `found` has a pattern for what is, and the rest has nothing to say. */
export interface Cases<S> {
  readonly found: readonly (readonly [string, S, RegExp, Rules?])[];
  readonly right: readonly (readonly [string, S, Rules?])[];
}

/**
 * Tests each check of a table by its cases; a check without cases fails.
 *
 * @param unread subjects of which a part could not be read, and of which no check says anything
 */
export function describeChecks<S>(
  checks: readonly Check<S>[],
  casesOf: Readonly<Record<string, Cases<S>>>,
  resource: string,
  unread: Readonly<Record<string, S>>,
): void {
  it.each(Object.entries(unread))('The checks report nothing about what could not be read: %s', (_, of) => {
    expect(evaluate(checks, of, resource, rules())).toEqual([]);
  });

  describe.each(checks)('$reason', (check) => {
    const cases = casesOf[check.reason] ?? { found: [], right: [] };
    const { reason } = check;
    const found = cases.found.map(([name, of, is, by = rules()]) => ({ name, of, is, by }));
    const right = cases.right.map(([name, of, by = rules()]) => ({ name, of, by }));

    it.each(found)(`${reason} reports: $name`, ({ of, is, by }) => {
      const findings = evaluate([check], of, resource, by);
      expect(findings.length).toBeGreaterThan(0);

      for (const finding of findings) {
        const { fix } = check;
        const command = / --version \S+ --without-evidence$/;

        expect(finding).toMatchObject({
          reason,
          fix: reason === 'RetirableVersion' ? expect.stringMatching(command) : fix,
        });
        expect(finding.exemption).toBeUndefined();
        expect(finding.is).toMatch(is);
        expect(finding.shouldBe).toMatch(/\.$/);

        const printed = commandOf(finding);
        if (printed) expect(PRINTED[reason] ?? []).toContain(kindOf(printed));
      }
    });

    it.each(right)(`${reason} accepts: $name`, ({ of, by }) => {
      expect(evaluate([check], of, resource, by)).toEqual([]);
    });

    it.each(found)(`${reason} is exempted only by a current exemption of its own: $name`, ({ of, by }) => {
      const findings = evaluate([check], of, resource, by);

      const exempt = (change: object) =>
        evaluate([check], of, resource, {
          ...by,
          drift: {
            ...by.drift,
            exemptions: [{ resource: '*', code: reason, reason: 'CHG-1', until: '2026-06-01', ...change }],
          },
        }).map(({ exemption }) => exemption);

      expect(exempt({})).toEqual(findings.map(() => ({ reason: 'CHG-1', until: '2026-06-01' })));

      for (const change of [{ until: '2026-05-31' }, { code: 'Poisoned' }, { resource: '/elsewhere' }]) {
        expect(exempt(change)).toEqual(findings.map(() => undefined));
      }
    });

    it(`${reason} has cases of both kinds`, () => {
      expect(cases.found.length).toBeGreaterThan(0);
      expect(cases.right.length).toBeGreaterThan(0);
    });
  });
}
