import { getLastName } from '../azure/resource-id.ts';
import { parseKeyIdentifier, parseVault } from '../keys/key-identifier.ts';
import { formatCauseLabel } from '../keys/resource-label.ts';
import type { Health } from './health.ts';

/** Selects accounts that match every given field. Any value of a field matches. */
export interface FleetFilter {
  /** Name of a key, or its identifier. */
  readonly key?: readonly string[];
  /** Name, URI or ARM id of a vault. */
  readonly vault?: readonly string[];
  readonly subscription?: readonly string[];
  readonly resourceGroup?: readonly string[];
  /** `name=value`, or only a name, which matches any value. */
  readonly tag?: readonly string[];
}

/** Selects by health. */
export interface HealthFilter {
  readonly health?: readonly string[];
  /** Id, reason code or label of the cause. */
  readonly cause?: readonly string[];
}

/** The fields that a filter compares. */
export interface FilteredUse {
  readonly subscription: string;
  readonly resourceGroup: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Key identifier; undefined for Microsoft-managed keys. */
  readonly key: string | undefined;
}

export function isFleetMatch(row: FilteredUse, filter: FleetFilter): boolean {
  const { subscription, resourceGroup, key, tags } = row;
  const used = key === undefined ? undefined : parseKeyIdentifier(key);
  return (
    isAny(filter.subscription, (wanted) => isSameText(subscription, wanted)) &&
    isAny(filter.resourceGroup, (wanted) => isSameText(resourceGroup, wanted)) &&
    isAny(filter.vault, (wanted) => isSameText(used?.vaultName, vaultName(wanted))) &&
    isAny(filter.key, (wanted) => matchesKey(used, wanted)) &&
    isAny(filter.tag, (wanted) => hasTag(tags, wanted))
  );
}

export function isHealthMatch({ state, cause }: Health, filter: HealthFilter): boolean {
  const names = cause ? [cause.id, cause.reason, formatCauseLabel(cause)] : [];
  return (
    isAny(filter.health, (wanted) => isSameText(state, wanted)) &&
    isAny(filter.cause, (wanted) => names.some((name) => isSameText(name, wanted)))
  );
}

function isAny(wanted: readonly string[] | undefined, holds: (value: string) => boolean): boolean {
  return wanted === undefined || wanted.length === 0 || wanted.some((value) => holds(value));
}

function matchesKey(used: ReturnType<typeof parseKeyIdentifier>, wanted: string): boolean {
  if (used === undefined) return false;
  const identifier = parseKeyIdentifier(wanted);
  if (identifier) return isSameText(used.vaultUri, identifier.vaultUri) && isSameText(used.keyName, identifier.keyName);
  const [vault, name] = wanted.split('/');
  return name === undefined
    ? isSameText(used.keyName, wanted)
    : isSameText(used.vaultName, vault) && isSameText(used.keyName, name);
}

function hasTag(tags: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf('=');
  const name = at < 0 ? wanted : wanted.slice(0, at);
  // Tag names are case-insensitive, tag values are not (Azure Resource Manager, "Tags").
  return Object.entries(tags).some(
    ([key, value]) => isSameText(key, name) && (at < 0 || value === wanted.slice(at + 1)),
  );
}

function vaultName(text: string): string {
  return parseVault(text)?.vaultName ?? getLastName(text);
}

function isSameText(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && one.toLowerCase() === other?.toLowerCase();
}
