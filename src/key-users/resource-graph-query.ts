import { isSameResource } from '../azure/resource-id.ts';
import { parseKeyIdentifier, parseVault } from '../keys/key-identifier.ts';
import type { ManagedKey, ManagedVault } from '../keys/managed-vaults.ts';
import type { OtherDependent } from './dependent.ts';
import { describeWhenRevoked, findKeyUserType } from './key-user-types.ts';
import { readUpdates } from './read-updates.ts';
import type { GraphResource } from './resource-graph-client.ts';

/** Maximum depth of properties that name a key. */
const DEEPEST = 12;

/**
 * A query for every resource that names a vault, of any type, so that unknown types are included. {@link findUseOfKey}
 * then filters for a key.
 */
export function createVaultUseQuery(vault: ManagedVault): string {
  const host = vault.uri.slice('https://'.length);
  // Some resources name the vault only by its ARM id.
  const id = `/${vault.kind === 'vault' ? 'vaults' : 'managedHSMs'}/${vault.name}`;
  return [
    'resources',
    `where tostring(properties) contains "${host}" or tostring(properties) contains "${id}"`,
    'project id, name, type, location, subscriptionId, identity, properties',
    'order by id asc',
  ].join(' | ');
}

interface NamedKey {
  readonly path: string;
  readonly name: string;
  readonly version: string | undefined;
}

/** The resource's use of a key; undefined if none. Resources of the vault itself do not count. */
export function findUseOfKey(row: GraphResource, key: ManagedKey): OtherDependent | undefined {
  return listUsesOfVault(row, key.vault).get(key.name.toLowerCase());
}

/** The resource's uses of every key of a vault, by lower-case key name. */
export function listUsesOfVault(
  { id, name, type, location, subscriptionId, properties }: GraphResource,
  vault: ManagedVault,
): Map<string, OtherDependent> {
  if (/^microsoft\.keyvault\//i.test(type)) return new Map();

  const effect = describeWhenRevoked(type);
  const reports = findKeyUserType(type)?.fieldReports;
  const known =
    effect === undefined
      ? { known: false }
      : { known: true, whenRevoked: effect, ...(reports === undefined ? {} : { fieldReports: reports }) };
  const named = Map.groupBy(keysNamed(properties, vault), (one) => one.name.toLowerCase());

  return new Map(
    [...named].map(([key, all]) => {
      const uses = all.map(({ path, version }) => ({ path, version }));
      return [
        key,
        { id, name, type, region: location, subscriptionId, uses, ...readUpdates(type, properties, uses), ...known },
      ];
    }),
  );
}

/** The keys of a vault that the properties name, once per path and version. */
function keysNamed(properties: unknown, vault: ManagedVault): NamedKey[] {
  const found = new Map<string, NamedKey>();
  const visit = (value: unknown, path: string, depth: number): void => {
    if (depth > DEEPEST) return;
    for (const one of keysAt(path, value, vault)) found.set(`${path} ${one.name.toLowerCase()} ${one.version}`, one);
    if (Array.isArray(value)) {
      for (const each of value) visit(each, path, depth + 1);
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, each] of Object.entries(value)) visit(each, path === '' ? name : `${path}.${name}`, depth + 1);
    }
  };

  visit(properties, '', 0);

  return [...found.values()];
}

/** Keys in a text that is a key identifier, or in an object with a vault and a key name. */
function keysAt(path: string, value: unknown, vault: ManagedVault): NamedKey[] {
  if (typeof value === 'string') {
    const named = parseKeyIdentifier(value.trim());
    return named?.vaultUri === vault.uri ? [{ path, name: named.keyName, version: named.version }] : [];
  }

  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];

  const fields = textsOf(value);
  const isOfVault = fields.some(
    // A vault that an operator named without its ARM id has none here.
    ({ text }) => parseVault(text)?.vaultUri === vault.uri || (vault.id !== '' && isSameResource(text, vault.id)),
  );
  if (!isOfVault) return [];

  const inner = textsOf(Object.entries(value).find(([name]) => name.toLowerCase() === 'key')?.[1]);
  const versionOf = (of: typeof fields, name: RegExp) =>
    of.find((field) => name.test(field.name))?.text.toLowerCase() || undefined;

  return [
    ...inner.flatMap(({ name, text }) =>
      /^name$/i.test(name) ? [{ path, name: text, version: versionOf(inner, /^version$/i) }] : [],
    ),
    ...fields.flatMap(({ name, text }) =>
      /key_?name$/i.test(name) ? [{ path, name: text, version: versionOf(fields, /key_?version$/i) }] : [],
    ),
  ];
}

function textsOf(value: unknown): { readonly name: string; readonly text: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, text]) =>
    typeof text === 'string' ? [{ name, text: text.trim() }] : [],
  );
}
