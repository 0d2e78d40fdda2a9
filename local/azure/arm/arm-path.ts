/** The parts of an ARM request path. Names keep their spelling; `pattern` is lower case. */
export interface ArmPath {
  /** Lower case; undefined if the path has none. */
  readonly subscriptionId: string | undefined;
  readonly resourceGroup: string | undefined;
  /**
   * The type part of the path, lower case, with `{}` for each name:
   * `microsoft.storage/storageaccounts/{}/encryptionscopes`, or `subscriptions/{}/resourcegroups/{}` outside providers.
   */
  readonly pattern: string;
  /** The names behind each `{}` of `pattern`. */
  readonly names: readonly string[];
  /**
   * Id of the resource before the last provider part: a subscription, a resource group, or the resource that it
   * extends.
   */
  readonly scope: string;
  /** The whole path without a trailing slash. It is the resource's id if `isItem`. */
  readonly id: string;
  /** True if the path ends in a name: a resource, not a collection or an action. */
  readonly isItem: boolean;
}

/** Parses an ARM path; undefined if it is none. Case does not matter, as in ARM. */
export function parseArmPath(path: string): ArmPath | undefined {
  const segments = path
    .split('/')
    .filter((segment) => segment !== '')
    .map(decode);
  if (segments.some((segment) => segment === undefined)) return undefined;

  const parts = segments as string[];
  const lower = parts.map((part) => part.toLowerCase());
  const last = lower.lastIndexOf('providers');
  const subscriptionId = lower[0] === 'subscriptions' ? lower[1] : undefined;
  const resourceGroup = lower[2] === 'resourcegroups' ? parts[3] : undefined;
  const common = { subscriptionId, resourceGroup, id: `/${parts.join('/')}` };

  // `/subscriptions/S/providers` and `/subscriptions/S/providers/Microsoft.X` ask about the providers themselves.
  if (last === -1 || parts.length - last <= 2) {
    const rest = last === -1 ? lower : lower.slice(0, last);
    const { pattern, names } = alternate(parts.slice(0, rest.length), lower.slice(0, rest.length));
    const tail = last === -1 ? [] : ['providers', ...(parts[last + 1] === undefined ? [] : ['{}'])];

    return {
      ...common,
      scope: `/${parts.slice(0, rest.length).join('/')}`,
      pattern: [...pattern, ...tail].join('/'),
      names: [...names, ...(last === -1 ? [] : parts.slice(last + 1))],
      isItem: (last === -1 ? rest.length : parts.length) % 2 === 0,
    };
  }

  const { pattern, names } = alternate(parts.slice(last + 2), lower.slice(last + 2));

  return {
    ...common,
    scope: `/${parts.slice(0, last).join('/')}`,
    pattern: [lower[last + 1], ...pattern].join('/'),
    names,
    isItem: (parts.length - last) % 2 === 0,
  };
}

/** Types and names alternate, starting with a type. */
function alternate(parts: string[], lower: string[]): { pattern: string[]; names: string[] } {
  const pattern = lower.map((segment, index) => (index % 2 === 0 ? segment : '{}'));
  return { pattern, names: parts.filter((_, index) => index % 2 === 1) };
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** The resource type of a pattern: `Microsoft.Storage/storageAccounts/encryptionScopes`, lower case. */
export function typeOf(pattern: string): string {
  return pattern
    .split('/')
    .filter((segment) => segment !== '{}')
    .join('/');
}
