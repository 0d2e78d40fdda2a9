import { readFileSync } from 'node:fs';
import { ALL_CHECKS } from '../../src/drift/checks/checks.ts';
import { HTTP_REASONS } from '../../src/http/http-reasons.ts';
import { REASONS } from '../../src/reasons.ts';
import { FIXABLE } from '../../src/settings/fixable.ts';
import { METRICS } from '../../src/telemetry/telemetry.ts';
import { code, plain, table } from './markdown.ts';

/** Every check of the drift check, in the order of its tables. */
export function checksReference(): string {
  const rows = ALL_CHECKS.map(({ reason, severity, ensures, fix }) => [
    code(reason) + ((FIXABLE as readonly string[]).includes(reason) ? ' ⚙' : ''),
    severity,
    plain(ensures),
    plain(fix),
  ]);
  return `## Every check

⚙ marks what \`CMK_AUTOFIX\` can fix.

${table(['code', 'severity', 'promise', 'what to do'], rows)}
`;
}

/** Every reason code under the headings of \`src/reasons.ts\`, then those of answers alone. */
export function reasonsReference(): string {
  const groups: [title: string, codes: string[]][] = [];
  const texts: Readonly<Record<string, string>> = { ...REASONS, ...HTTP_REASONS };
  const source = readFileSync('src/reasons.ts', 'utf8');
  for (const [, title, spread, reason] of source.matchAll(/^ {2}(?:\/\/ (.+)|\.\.\.(\w+),|(\w+):)/gm)) {
    if (title) groups.push([title, []]);
    else if (spread) groups.push(['Revocation, restore and audit', BREAK_GLASS]);
    else if (reason) groups.at(-1)?.[1].push(reason);
  }
  const http = Object.keys(HTTP_REASONS).filter((reason) => !(reason in REASONS));
  const sections = [...groups, ['Answers of the API that refuse a call', http] as const].filter(
    ([, codes]) => codes.length > 0,
  );
  return sections
    .map(
      ([title, codes]) =>
        `## ${title}\n\n${table(
          ['code', 'meaning'],
          codes.map((one) => [code(one), plain(texts[one] ?? '')]),
        )}\n`,
    )
    .join('\n');
}

const BREAK_GLASS = [...readFileSync('src/break-glass-reasons.ts', 'utf8').matchAll(/^ {2}(\w+):/gm)].map(
  ([, reason = '']) => reason,
);

/** Every metric. */
export function metricsReference(): string {
  const rows = Object.entries(METRICS).map(([name, { kind, unit, about }]) => [code(name), kind, code(unit), about]);
  rows.push([code('cmk.queue.age'), 'gauge', code('s'), 'Seconds that the oldest message has waited, by queue.']);
  return `## Metrics\n\n${table(['metric', 'kind', 'unit', 'what it is'], rows)}\n`;
}
