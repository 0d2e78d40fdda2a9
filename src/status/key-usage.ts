import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { KeyUsageLog, LoggedUse, UsageLog } from '../keys/usage-log-client.ts';
import { readUsageEvidence } from '../retirement/evidence.ts';
import type { KeyUsageView } from './key-schemas.ts';

/** Last users of each version according to the log; empty without a log. */
export interface ShownUsage {
  readonly usage?: KeyUsageView;
}

/** Returns a key's usage from the log; undefined: no log is configured. Never throws. */
export async function readKeyUsage(
  key: ManagedKey,
  workspace: string | undefined,
  services: { readonly usageLog: KeyUsageLog },
  ms: number,
): Promise<ShownUsage> {
  if (workspace === undefined) return {};
  const evidence = await readUsageEvidence(key, services, ms);
  if ('missing' in evidence) return { usage: { versions: [], unread: evidence.missing } };
  return { usage: toView(evidence.log) };
}

function toView({ uses, trackedSince, trackedUntil, silences }: UsageLog): KeyUsageView {
  const names = [...new Set(uses.map(({ version }) => version))];
  const gaps = silences
    .map(({ from, to }) => ({ from: from.toISOString(), to: to.toISOString() }))
    .sort((a, b) => (a.from < b.from ? 1 : -1));

  return {
    trackedSince: trackedSince?.toISOString(),
    trackedUntil: trackedUntil?.toISOString(),
    gaps: gaps.length > 0 ? gaps : undefined,
    versions: names.map((version) => {
      const last = (operation: LoggedUse['operation']) => {
        const of = uses.filter((use) => use.version === version && use.operation === operation);
        const use = of.sort((a, b) => b.lastOn.getTime() - a.lastOn.getTime())[0];
        return use && { on: use.lastOn.toISOString(), objectId: use.objectId, appId: use.appId };
      };
      return { version, wrapped: last('wrap'), unwrapped: last('unwrap'), other: last('other') };
    }),
  };
}
