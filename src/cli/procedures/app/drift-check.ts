import { randomUUID } from 'node:crypto';
import { parseResourceId, splitScope } from '../../../azure/resource-id.ts';
import { countFindings } from '../../../drift/checks/evaluate.ts';
import type { GatherServices } from '../../../drift/gather/parts.ts';
import { groupCauses } from '../../../drift/report/causes.ts';
import type { Finding, WholeReport } from '../../../drift/report/report.ts';
import { type DriftServices, findDrift } from '../../../drift/run-drift-check.ts';
import { CmkError } from '../../../errors/errors.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../../../keys/key-identifier.ts';
import { formatCauseLabel } from '../../../keys/resource-label.ts';
import { hasAppStorage } from '../../../settings/own-storage.ts';
import { type Environment, readStorageSettings } from '../../../settings/settings.ts';
import { type FleetFilter, type HealthFilter, isFleetMatch } from '../../../status/fleet-filter.ts';
import { getFindingState } from '../../../status/health.ts';
import type { Operation } from '../operator-azure.ts';
import { findVault } from '../resolve.ts';

interface DriftOptions {
  /** Names, ARM ids or URIs; empty: the vaults of CMK_VAULTS. */
  readonly vaults: readonly string[];
  readonly environment: Environment;
  /** Creates the app's services with these settings and the operator's sign-in. */
  readonly services: (environment: Environment) => DriftServices;
}

/**
 * Runs the app's drift check with the operator's sign-in. Needs no deployed app, and changes nothing.
 *
 * @throws {@link CmkError} `ArgumentInvalid` if no vault is named
 * @throws {@link SettingsError} if a setting in the environment is wrong
 */
export async function checkDrift(
  { vaults: named, environment, services: servicesOf }: DriftOptions,
  { azure, journal }: Operation,
): Promise<WholeReport> {
  if (named.length === 0 && !environment.CMK_VAULTS?.trim()) {
    throw new CmkError(
      'ArgumentInvalid',
      'No vault is named.',
      'Add --vault <vault>, or set CMK_VAULTS to the ARM ids of the vaults.',
    );
  }

  const { AzureWebJobsStorage } = environment;
  if (AzureWebJobsStorage) readStorageSettings({ AZURE_CLOUD: azure.cloud.name, AzureWebJobsStorage });

  const vaults: string[] = [];

  for (const vault of named) vaults.push((await findVault(vault, azure)).id);

  const hasStorage = hasAppStorage(environment);
  const settings: Environment = {
    ...environment,
    AZURE_CLOUD: azure.cloud.name,
    ...(vaults.length > 0 ? { CMK_VAULTS: vaults.join(' ') } : {}),
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
