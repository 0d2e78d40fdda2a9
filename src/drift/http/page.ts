import { createHash } from 'node:crypto';
import { Html, html } from '../../http/html.ts';
import { count } from '../../text.ts';
import { causeKey } from '../causes.ts';
import { type DriftCause, type DriftReport, type Finding, SEVERITIES } from '../report.ts';
import { STYLE } from './page-style.ts';

/** Causes of each severity that have a card of their own. */
const MAX_CARDS = 6;
/** Cards of errors that are open from the start: the page is to be looked over on a phone. */
const OPEN_CARDS = 2;
/** Entries of each list; the JSON has them all. */
const MAX_LINES = 100;
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
  const { counts, causes, findings } = report;
  const open = causes.filter(({ exempt }) => !exempt);
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
<li><strong>${counts.exempt}</strong>exempt</li>
</ul>
</header>
${SEVERITIES.map((severity) => severitySection(severity, open, report))}
${exemptSection(
  causes.filter(({ exempt }) => exempt),
  findings,
)}
${fixesSection(report)}
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

function severitySection(severity: DriftCause['severity'], open: readonly DriftCause[], report: DriftReport): Html {
  const causes = open.filter((cause) => cause.severity === severity);
  if (causes.length === 0) return html``;
  return html`<section aria-labelledby="${severity}">
<h2 id="${severity}">${HEADINGS[severity]}</h2>
${causes.slice(0, MAX_CARDS).map((cause, index) => causeCard(cause, report, severity === 'error' && index < OPEN_CARDS))}
${furtherCauses(causes.slice(MAX_CARDS))}
</section>
`;
}

/** One cause, whatever the number of its findings: what is wrong, with what to do about it. */
function causeCard(cause: DriftCause, { autofix, findings }: DriftReport, open: boolean): Html {
  const { severity, reason, about, affected, is, shouldBe, fix, canFix, since } = cause;
  const can = autofix.includes(reason) ? 'the app fixes it' : `the app can, with ${reason} in CMK_AUTOFIX`;
  const others = [...new Set(findings.filter((one) => one.cause.id === cause.id).map((one) => one.reason))].filter(
    (other) => other !== reason,
  );
  return html`<article class="${severity}">
<details${open ? new Html(' open') : ''}><summary><h3>${about.map(shortName).join(', ') || reason}</h3>
<b class="${severity}">${reason}</b>${others.length > 0 ? ` with ${others.join(', ')}` : ''}, ${count(affected, 'resource')}, since ${minute(since)} UTC</summary>
${about.map((resource) => html`<p class="soft"><code>${resource}</code></p>`)}
<dl>
<dt>Is</dt><dd>${is}</dd>
<dt>Should be</dt><dd>${shouldBe}</dd>
<dt>Fix</dt><dd>${fix}${canFix > 0 ? html` <span class="soft">(${can})</span>` : html``}</dd>
${became(cause)}
</dl>
${commandsOf(cause)}
${affectedOf(cause)}
</details>
</article>
`;
}

function became({ fixes: { enqueued, done, failed } }: DriftCause): Html {
  const said = [
    ...(enqueued > 0 ? [`${enqueued} enqueued`] : []),
    ...(done > 0 ? [`${done} done`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ];
  return said.length > 0 ? html`<dt>Fixed</dt><dd>${said.join(', ')}</dd>` : html``;
}

function commandsOf({ commands, moreCommands }: DriftCause): Html {
  if (commands.length === 0) return html``;
  const all = [...commands, ...(moreCommands > 0 ? [`# and ${moreCommands} more, one for each`] : [])];
  return html`<pre>${all.join('\n')}</pre>`;
}

/** Nothing where the cause is about the very thing that has the finding. */
function affectedOf({ about, affected, sample, findings, id }: DriftCause): Html {
  if (affected === 1 && sample[0]?.toLowerCase() === about[0]?.toLowerCase()) return html``;
  const rest = affected - sample.length;
  const more =
    rest > 0
      ? html`<p class="soft">and ${rest} more: GET /drift/{report}/findings?cause=${id} has all ${findings} findings.</p>`
      : html``;
  return html`<details><summary>${count(affected, 'resource')}: ${sample.map(shortName).join(', ')}${rest > 0 ? ' …' : ''}</summary>
<ul class="plain">${sample.map((resource) => html`<li><code>${resource}</code></li>`)}</ul>${more}</details>`;
}

/** The ones that have no room of their own: a line each. */
function furtherCauses(causes: readonly DriftCause[]): Html {
  if (causes.length === 0) return html``;
  const items = causes
    .slice(0, MAX_LINES)
    .map(
      ({ reason, about, affected }) =>
        html`<li><b>${reason}</b> <code>${about.map(shortName).join(', ')}</code>: ${count(affected, 'resource')}</li>`,
    );
  return html`<details><summary>${causes.length} more ${noun(causes.length, 'cause')}</summary><ul class="plain">${items}</ul>${more(causes)}</details>`;
}

function exemptSection(causes: readonly DriftCause[], findings: readonly Finding[]): Html {
  if (causes.length === 0) return html``;
  const items = causes.slice(0, MAX_LINES).map(({ id, reason, about, affected }) => {
    const exemption = findings.find((one) => causeKey(one) === id)?.exemption;
    return html`<li><b>${reason}</b> <code>${about.join(', ')}</code>, ${count(affected, 'resource')}: ${exemption?.reason} <span class="soft">(until ${exemption?.until})</span></li>`;
  });
  return html`<section aria-labelledby="exempt"><h2 id="exempt">Exempt</h2><ul class="plain">${items}</ul>${more(causes)}</section>
`;
}

/** What was fixed is said with its cause; here is what could not be. */
function fixesSection({ fixes }: DriftReport): Html {
  const failed = fixes.filter(({ outcome }) => outcome === 'failed');
  if (failed.length === 0) return html``;
  const items = failed
    .slice(0, MAX_LINES)
    .map(
      ({ reason, resource, detail }) => html`<li><b>${reason}</b> <code>${shortName(resource)}</code>: ${detail}</li>`,
    );
  return html`<section aria-labelledby="fixed"><h2 id="fixed">Not fixed in this check</h2><ul class="plain">${items}</ul>${more(failed)}</section>
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
      html`<li><code>${one.id}</code>: ${count(one.accounts, 'account')}, encryption scopes of ${one.scopesLookedAt}${one.complete ? '' : ', not complete'}${one.resumed ? ', read by the check before' : ''}</li>`,
  );
  return html`<section aria-labelledby="coverage"><h2 id="coverage">What was looked at</h2>
<p>${count(vaults, 'vault')}, ${count(keys, 'key')}, ${count(accounts, 'storage account')} in ${count(subscriptions.length, 'subscription')}; ${dependents} of them ${noun(dependents, 'depends', 'depend')} on a managed key.</p>
${eventSubscriptions ? html`` : html`<p>Event subscriptions were not checked: CMK_FUNCTION_APP_ID is not set.</p>`}
<details><summary>Subscriptions</summary><ul class="plain">${items}</ul></details></section>
`;
}

/** What of a list is not shown. */
function more(all: readonly unknown[]): Html {
  const rest = all.length - MAX_LINES;
  return rest > 0 ? html`<p class="soft">${rest} more ${noun(rest, 'is', 'are')} in the JSON report.</p>` : html``;
}

function noun(number: number, one: string, many = `${one}s`): string {
  return number === 1 ? one : many;
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
