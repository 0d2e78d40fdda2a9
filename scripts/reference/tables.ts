import { readFileSync } from 'node:fs';
import { ALL_CHECKS } from '../../src/drift/checks/checks.ts';
import { REASONS } from '../../src/errors/reasons.ts';
import { findRefusal } from '../../src/errors/refusals.ts';
import { FIXABLE } from '../../src/settings/exemption.ts';
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

/** Every reason code: refusals and failures first, then the others under the headings of `src/errors/reasons.ts`. */
export function reasonsReference(): string {
  const refusals = groupsOf('src/errors/refusals.ts').map(([title, codes]) => {
    const rows = codes.flatMap((one) => {
      const texts = findRefusal(one);
      return texts
        ? [[code(one), texts.status ? String(texts.status) : '–', plain(texts.sentence), plain(texts.nextStep)]]
        : [];
    });
    return `### ${title}\n\n${table(['code', 'status', 'meaning', 'next step'], rows)}\n`;
  });

  const texts: Readonly<Record<string, string>> = REASONS;
  const others = groupsOf('src/errors/reasons.ts').map(([title, codes]) => {
    const rows = codes.map((one) => [code(one), plain(texts[one] ?? '')]);
    return `### ${title}\n\n${table(['code', 'meaning'], rows)}\n`;
  });

  return `## Refusals and failures\n\n*Status* is that of the API; a code without one is of the command line and the log.\n\n${refusals.join('\n')}\n## Every other code\n\n${others.join('\n')}`;
}

/** The codes of a table in the code, by the comments that head its parts. */
function groupsOf(file: string): [title: string, codes: string[]][] {
  const groups: [title: string, codes: string[]][] = [];
  for (const [, title, reason] of readFileSync(file, 'utf8').matchAll(
    /^ {2}(?:\/\/ (.+)|([A-Z]\w*): ?(?:\{|['"`]|$))/gm,
  )) {
    if (title) groups.push([title, []]);
    else if (reason) groups.at(-1)?.[1].push(reason);
  }
  return groups.filter(([, codes]) => codes.length > 0);
}

/** Every metric. */
export function metricsReference(): string {
  const rows = Object.entries(METRICS).map(([name, { kind, unit, about }]) => [code(name), kind, code(unit), about]);
  rows.push([code('cmk.queue.age'), 'gauge', code('s'), 'Age of the oldest message, by queue.']);
  return `## Metrics\n\n${table(['metric', 'kind', 'unit', 'what it is'], rows)}\n`;
}
