import { createHash } from 'node:crypto';
import { Html, html } from '../../http/html.ts';
import type { DriftReport, Finding } from '../report.ts';
import { STYLE } from './page-style.ts';

/** Resources shown for each severity, and entries of each other list; the JSON has them all. */
const MAX_RESOURCES = 200;
const HEADINGS = { error: 'Errors', warning: 'Warnings', advice: 'Advice' } as const;

/** Nothing is loaded and nothing runs: the page is text, and its one style is known by its hash. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** A report for people: one document without scripts or anything to fetch, so that a saved copy is as good. */
export function driftPage(report: DriftReport): string {
  const { counts, findings } = report;
  const open = findings.filter(({ exemption }) => !exemption);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${new Html(PAGE_POLICY)}">
<link rel="icon" href="data:,">
<title>Drift report ${minute(report.startedOn)}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<header>
<h1>Drift report</h1>
<p class="soft">${minute(report.startedOn)} UTC, by ${report.by === 'timer' ? 'the timer' : 'an operator'}, report <code>${report.id}</code></p>
${completeness(report)}
<ul class="counts">
<li class="error"><strong>${counts.error}</strong>${noun(counts.error, 'error')}</li>
<li class="warning"><strong>${counts.warning}</strong>${noun(counts.warning, 'warning')}</li>
<li class="advice"><strong>${counts.advice}</strong>advice</li>
<li><strong>${counts.new}</strong>new</li>
<li><strong>${counts.gone}</strong>gone</li>
<li><strong>${counts.exempt}</strong>accepted</li>
</ul>
</header>
${(['error', 'warning', 'advice'] as const).map((severity) => severitySection(severity, open, report))}
${exemptSection(findings.filter(({ exemption }) => exemption))}
${mendedSection(report)}
${exemptionsSection(report)}
${coverageSection(report)}
</main>
</body>
</html>
`;
  return page.text;
}

function completeness({ complete, counts }: DriftReport): Html {
  if (!complete)
    return html`<p><b class="error">Not everything could be read:</b> there may be more than is listed here.</p>`;
  return counts.error + counts.warning + counts.advice === 0
    ? html`<p class="good">Everything was read, and everything is as it should be.</p>`
    : html`<p>Everything was read.</p>`;
}

function severitySection(severity: Finding['severity'], open: readonly Finding[], report: DriftReport): Html {
  const resources = byResource(open.filter((finding) => finding.severity === severity));
  if (resources.length === 0) return html``;
  const shown = resources.slice(0, MAX_RESOURCES);
  const rest = resources.length - shown.length;
  return html`<section aria-labelledby="${severity}">
<h2 id="${severity}">${HEADINGS[severity]}</h2>
${shown.map(([resource, findings]) => resourceCard(severity, resource, findings, report))}
${rest > 0 ? html`<p class="soft">${rest} more ${noun(rest, 'resource is', 'resources are')} in the JSON report.</p>` : html``}
</section>
`;
}

function resourceCard(severity: string, resource: string, findings: readonly Finding[], report: DriftReport): Html {
  return html`<article class="${severity}">
<h3>${shortName(resource)}</h3>
<p class="soft"><code>${resource}</code></p>
${findings.map((finding) => findingSection(finding, report))}
</article>
`;
}

function findingSection(finding: Finding, { fixes, autofix }: DriftReport): Html {
  const mended = fixes.find((fix) => fix.finding === finding.id);
  const can = autofix.includes(finding.reason)
    ? 'the app mends it'
    : `the app can, with ${finding.reason} in CMK_AUTOFIX`;
  return html`<section class="finding">
<b class="${finding.severity}">${finding.reason}</b>
<dl>
<dt>Is</dt><dd>${finding.is}</dd>
<dt>Should be</dt><dd>${finding.shouldBe}</dd>
<dt>Fix</dt><dd>${finding.fix}${finding.canFix ? html` <span class="soft">(${can})</span>` : html``}</dd>
${mended ? html`<dt>Mended</dt><dd>${mended.outcome}: ${mended.detail}</dd>` : html``}
${finding.exemption ? html`<dt>Accepted</dt><dd>until ${finding.exemption.until}: ${finding.exemption.reason}</dd>` : html``}
<dt>Since</dt><dd>${minute(finding.since)} UTC</dd>
</dl>
</section>
`;
}

function exemptSection(findings: readonly Finding[]): Html {
  if (findings.length === 0) return html``;
  const items = findings
    .slice(0, MAX_RESOURCES)
    .map(
      ({ reason, resource, exemption }) =>
        html`<li><b>${reason}</b> <code>${resource}</code>: ${exemption?.reason} <span class="soft">(until ${exemption?.until})</span></li>`,
    );
  return html`<section aria-labelledby="accepted"><h2 id="accepted">Accepted</h2><ul class="plain">${items}</ul>${more(findings)}</section>
`;
}

function mendedSection({ fixes }: DriftReport): Html {
  if (fixes.length === 0) return html``;
  const items = fixes
    .slice(0, MAX_RESOURCES)
    .map(
      ({ reason, resource, outcome, detail }) =>
        html`<li><b>${reason}</b> <code>${shortName(resource)}</code>: ${outcome}. ${detail}</li>`,
    );
  return html`<section aria-labelledby="mended"><h2 id="mended">Mended in this check</h2><ul class="plain">${items}</ul>${more(fixes)}</section>
`;
}

function exemptionsSection({ exemptions }: DriftReport): Html {
  const idle = exemptions.filter(({ state }) => state === 'over' || state === 'unused');
  if (idle.length === 0) return html``;
  const items = idle.map(
    ({ resource, code, until, state }) =>
      html`<li><b>${code}</b> <code>${resource}</code>: ${state === 'over' ? `over since ${until}` : 'does nothing'}</li>`,
  );
  return html`<section aria-labelledby="exemptions"><h2 id="exemptions">Exemptions to remove</h2><ul class="plain">${items}</ul></section>
`;
}

function coverageSection({ coverage }: DriftReport): Html {
  const { vaults, keys, accounts, dependents, subscriptions, eventSubscriptions } = coverage;
  const items = subscriptions.map(
    (one) =>
      html`<li><code>${one.id}</code>: ${counted(one.accounts, 'account')}, encryption scopes of ${one.scopesLookedAt}${one.complete ? '' : ', not complete'}${one.resumed ? ', read by the check before' : ''}</li>`,
  );
  return html`<section aria-labelledby="coverage"><h2 id="coverage">What was looked at</h2>
<p>${counted(vaults, 'vault')}, ${counted(keys, 'key')}, ${counted(accounts, 'storage account')} in ${counted(subscriptions.length, 'subscription')}; ${dependents} of them ${noun(dependents, 'depends', 'depend')} on a managed key.</p>
${eventSubscriptions ? html`` : html`<p>Event subscriptions were not checked: CMK_FUNCTION_APP_ID is not set.</p>`}
<details><summary>Subscriptions</summary><ul class="plain">${items}</ul></details></section>
`;
}

/** What of a list is not shown. */
function more(all: readonly unknown[]): Html {
  const rest = all.length - MAX_RESOURCES;
  return rest > 0 ? html`<p class="soft">${rest} more ${noun(rest, 'is', 'are')} in the JSON report.</p>` : html``;
}

function noun(count: number, one: string, many = `${one}s`): string {
  return count === 1 ? one : many;
}

function counted(count: number, one: string): string {
  return `${count} ${noun(count, one)}`;
}

function byResource(findings: readonly Finding[]): [string, Finding[]][] {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const key = finding.resource.toLowerCase();
    groups.set(key, [...(groups.get(key) ?? []), finding]);
  }
  return [...groups.values()].map((group) => [group[0]?.resource ?? '', group]);
}

/** The last names of an id: `stfiles01`, `stfiles01 / scope1`, `kv-files / files-key`. */
function shortName(resource: string): string {
  const key = /^https:\/\/([^./]+)[^/]*\/keys\/([^/]+)(?:\/([^/]+))?$/.exec(resource);
  if (key) return [key[1], key[2], key[3]].filter(Boolean).join(' / ');
  const names = resource.split('/').filter(Boolean);
  if (/\/providers\//i.test(resource)) {
    const after = names.slice(names.findIndex((name) => name.toLowerCase() === 'providers') + 2);
    return after.filter((_, index) => index % 2 === 1).join(' / ') || resource;
  }
  return names.at(-1) ?? resource;
}

function minute(time: string): string {
  return time.slice(0, 16).replace('T', ' ');
}
