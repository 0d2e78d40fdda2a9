import { createHash } from 'node:crypto';
import { z } from 'zod';
import { causesOf } from '../causes.ts';
import { DRIFT_REPORT, type DriftDetails, FINDING, UNSEEN, type WholeReport } from '../report.ts';
import { unpackDetails } from './details-format.ts';

/** The first version of the format: no causes, and every finding in the report itself. */
const FIRST = DRIFT_REPORT.omit({ causes: true }).extend({
  version: z.literal(1),
  findings: z.array(FINDING.omit({ cause: true, command: true })),
  unseen: z.array(UNSEEN).default([]),
});

/** A report as it is kept. In the first version, before there were causes, it had everything in it. */
export function parseReport(text: string): WholeReport {
  const document: unknown = JSON.parse(text);
  const first = FIRST.safeParse(document).data;
  if (!first) return { ...DRIFT_REPORT.parse(document), unseen: [] };
  // What they are about is not known: those of one reason are one cause.
  const findings = first.findings.map((finding) => {
    const id = createHash('sha256').update(finding.reason).digest('hex').slice(0, 16);
    return { ...finding, cause: { id, reason: finding.reason, about: [] } };
  });
  const counts = { ...first.counts, unseen: first.unseen.length };
  return { ...first, version: 2, counts, findings, causes: causesOf(findings, first.fixes) };
}

/** @param kept what is kept beside the report; undefined: nothing, as with a report of the first version */
export function parseDetails(kept: string | undefined, report: WholeReport): DriftDetails {
  return kept === undefined ? report : unpackDetails(kept);
}
