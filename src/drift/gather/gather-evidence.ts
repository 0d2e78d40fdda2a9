import pMap from 'p-map';
import { known } from '../../azure/read-or-why.ts';
import type { KeyUsageLog } from '../../keys/usage-log-client.ts';
import { readUsageEvidence } from '../../retirement/retire-versions.ts';
import type { KeySubject } from '../checks/subjects.ts';

/** Queries that run at the same time: a workspace takes five of one user (Azure Monitor, "service limits", user query throttling). */
const CONCURRENCY = 4;
/** For one query. Milliseconds. */
const QUERY_MS = 30_000;

/** Has the vaults' log say who asked for which version of each key that has more than one. It never throws. */
export async function gatherEvidence(
  keys: readonly KeySubject[],
  workspace: string | undefined,
  services: { readonly usageLog: KeyUsageLog },
): Promise<void> {
  if (workspace === undefined) return;
  const several = keys.filter(({ versions }) => (known(versions) ?? []).length > 1);
  await pMap(
    several,
    async (subject) => {
      subject.evidence = await readUsageEvidence(subject.key, services, QUERY_MS);
    },
    { concurrency: CONCURRENCY },
  );
}
