import { randomUUID } from 'node:crypto';
import { parseResourceId, splitScope } from '../../../azure/resource-id.ts';
import { NETWORK } from '../../../drift/checks/app-checks.ts';
import { countFindings } from '../../../drift/checks/evaluate.ts';
import type { GatherServices } from '../../../drift/gather/parts.ts';
import { groupCauses } from '../../../drift/report/causes.ts';
import type { Finding, WholeReport } from '../../../drift/report/report.ts';
import { type DriftServices, findDrift } from '../../../drift/run-drift-check.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../../../keys/key-identifier.ts';
import { formatCauseLabel, shortenResource } from '../../../keys/resource-label.ts';
import { hasAppStorage } from '../../../settings/own-storage.ts';
import { type Environment, readStorageSettings } from '../../../settings/settings.ts';
import { type FleetFilter, type HealthFilter, isFleetMatch } from '../../../status/fleet-filter.ts';
import { getFindingState } from '../../../status/health.ts';
import type { Operation } from '../operator-azure.ts';
import { findVault } from '../resolve.ts';
import { findVaultsInUse } from '../vault/vaults-in-use.ts';

interface DriftOptions {
  /** Names, ARM ids or URIs; empty: the vaults of CMK_VAULTS, or without it those that accounts use. */
  readonly vaults: readonly string[];
  /** The only subscription whose accounts are read, if neither `vaults` nor CMK_VAULTS names a vault. */
  readonly subscription?: string | undefined;
  readonly environment: Environment;
  /** Creates the app's services with these settings and the operator's sign-in. */
  readonly services: (environment: Environment) => DriftServices;
}

/**
 * Runs the app's drift check with the operator's sign-in. Needs no deployed app, and changes nothing.
 *
 * @throws {@link CmkError} `NotFound` if no vault is named, and no account uses one
 * @throws {@link SettingsError} if a setting in the environment is wrong
 */
export async function checkDrift(
  { vaults: named, subscription, environment, services: servicesOf }: DriftOptions,
  operation: Operation,
): Promise<WholeReport> {
  const { azure, journal } = operation;
  const { AzureWebJobsStorage } = environment;
  if (AzureWebJobsStorage) readStorageSettings({ AZURE_CLOUD: azure.cloud.name, AzureWebJobsStorage });

  const vaults: string[] = [];
  const isTrial = named.length === 0 && !environment.CMK_VAULTS?.trim();
  const only = isTrial ? subscription : undefined;

  for (const vault of named) vaults.push((await findVault(vault, azure)).id);

  if (isTrial) {
    const subscriptions = only === undefined ? await azure.subscriptions.list() : [only];
    vaults.push(...(await findVaultsInUse(subscriptions, operation)));
  }

  const hasStorage = hasAppStorage(environment);
  const settings: Environment = {
    ...environment,
    AZURE_CLOUD: azure.cloud.name,
    ...(vaults.length > 0 ? { CMK_VAULTS: vaults.join(' ') } : {}),
    ...(only === undefined ? {} : { CMK_SUBSCRIPTIONS: only }),
    // AZURE_CLIENT_ID in this environment belongs to the operator's sign-in, not to the app.
    AZURE_CLIENT_ID: undefined,
    // Without the app's storage, the emulator's takes its place; the check does not access it.
    ...(hasStorage ? {} : { AzureWebJobsStorage: 'UseDevelopmentStorage=true' }),
  };

  // Lists the subscriptions that the operator can read; the app's cached list may differ.
  const services = { ...servicesOf(settings), subscriptions: azure.subscriptions };
  const { objectId } = await azure.operator();

  journal.waiting('reading vaults, keys and accounts');

  const run = { id: randomUUID(), by: 'operator', caller: objectId } as const;

  return findDrift(run, hasStorage ? services : { ...services, ...NO_STORAGE });
}

/** Results without the app's own storage: no earlier report, and no state of its queues. */
const NO_STORAGE: Pick<GatherServices, 'driftStorage' | 'rollouts' | 'useRows'> & { readonly orderStore: undefined } = {
  orderStore: undefined,
  driftStorage: {
    before: async () => undefined,
    managedAccounts: async () => ({}),
    poisonMessages: async () => [],
    deadLetters: async () => [],
  },
  rollouts: undefined,
  useRows: undefined,
};

/** A report without findings of missing rights, which are those of the operator, and each right in a phrase. */
export function splitMissingRights(report: WholeReport): { report: WholeReport; missingRights: readonly string[] } {
  // No right helps against a firewall.
  const isMissing = ({ cause, is }: Finding): boolean => cause.reason === 'MissingPermission' && !NETWORK.test(is);
  const findings = report.findings.filter((finding) => !isMissing(finding));
  const resources = new Map<string, string[]>();

  for (const { is, resource } of report.findings.filter(isMissing)) {
    const [, what] = /^The app may not (.+?)\. /.exec(is) ?? [];
    // The other findings of an unreadable part repeat it.
    if (what === undefined) continue;

    resources.set(what, [...(resources.get(what) ?? []), shortenResource(resource)]);
  }

  const missingRights = [...resources].map(([what, names]) => `${what} (${[...new Set(names)].join(', ')})`);
  const { error, warning, advice, exempt } = countFindings(findings, [], undefined);
  const counts = { ...report.counts, error, warning, advice, exempt };

  return { report: { ...report, findings, counts, causes: groupCauses(findings) }, missingRights };
}

/** Selects findings. */
type FindingFilter = Omit<FleetFilter, 'vault' | 'tag'> & HealthFilter;

/** The report reduced to the filtered findings, with their causes and numbers. */
export function filterReport(report: WholeReport, filter: FindingFilter): WholeReport {
  if (Object.values(filter).every((values) => values === undefined || values.length === 0)) return report;
  const findings = report.findings.filter((finding) => matches(finding, filter));
  const ids = new Set(findings.map(({ id }) => id));
  const fixes = report.fixes.filter(({ finding }) => ids.has(finding));
  const { error, warning, advice, exempt } = countFindings(findings, [], undefined);
  const counts = { ...report.counts, error, warning, advice, exempt };
  return { ...report, findings, fixes, counts, causes: groupCauses(findings) };
}

/** A finding matches a key if the key has the finding or needs the repair. */
function matches(finding: Finding, { health = [], cause = [], ...place }: FindingFilter): boolean {
  const { resource, cause: behind } = finding;
  const id = parseResourceId(splitScope(resource).account);
  const keys = [resource, ...behind.about].map(keyOf).filter((key) => key !== undefined);
  const where = { subscription: id?.subscriptionId ?? '', resourceGroup: id?.resourceGroup ?? '', tags: {} };
  const isThere = [...keys, undefined].some((key) => isFleetMatch({ ...where, key }, place));
  const state = getFindingState(finding)?.toLowerCase();
  const names = [behind.id, behind.reason, finding.reason, formatCauseLabel(behind)].map((name) => name.toLowerCase());

  return (
    isThere &&
    (health.length === 0 || health.some((wanted) => wanted.toLowerCase() === state)) &&
    (cause.length === 0 || cause.some((wanted) => names.includes(wanted.toLowerCase())))
  );
}

/** The key of a version. */
function keyOf(id: string): string | undefined {
  const key = parseKeyIdentifier(id);
  return key && formatKeyIdentifier(key);
}
