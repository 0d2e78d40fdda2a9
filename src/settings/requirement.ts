/** Which accounts have to use a customer-managed key. One of them is enough. */
export type Requirement =
  | { readonly kind: 'all' }
  /** Accounts with this tag; without a value any will do. */
  | { readonly kind: 'tag'; readonly name: string; readonly value: string | undefined }
  /** Accounts at this ARM id or below it. */
  | { readonly kind: 'scope'; readonly scope: string };

const SCOPE = /^\/subscriptions\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:\/[-\w.()/]+)?$/i;

/** `all`, `tag:name`, `tag:name=value`, or an ARM id; undefined for anything else. */
export function parseRequirement(text: string): Requirement | undefined {
  if (text.toLowerCase() === 'all') return { kind: 'all' };
  if (text.startsWith('tag:')) {
    const [name = '', ...value] = text.slice('tag:'.length).split('=');
    return name === '' ? undefined : { kind: 'tag', name, value: value.length > 0 ? value.join('=') : undefined };
  }
  return SCOPE.test(text) ? { kind: 'scope', scope: text.replace(/\/+$/, '') } : undefined;
}

/** The first requirement that an account falls under. Tag names compare without letter case, as in ARM. */
export function requirementOf(
  account: { readonly id: string; readonly tags: Readonly<Record<string, string>> },
  requirements: readonly Requirement[],
): Requirement | undefined {
  return requirements.find((requirement) => {
    if (requirement.kind === 'all') return true;
    if (requirement.kind === 'scope') {
      return `${account.id}/`.toLowerCase().startsWith(`${requirement.scope}/`.toLowerCase());
    }
    const value = tagOf(account.tags, requirement.name);
    return value !== undefined && (requirement.value === undefined || value === requirement.value);
  });
}

export function tagOf(tags: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.entries(tags).find(([tag]) => tag.toLowerCase() === name.toLowerCase())?.[1];
}
