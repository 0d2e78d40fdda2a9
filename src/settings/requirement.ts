import { formatDay } from '../formats/duration.ts';
import { CLOCKS_MS } from '../formats/spans.ts';

/** Rule that requires accounts to use a customer-managed key. A single matching rule is sufficient. */
export type Requirement =
  | { readonly kind: 'all' }
  /** Accounts with this tag; without a value, any value matches. */
  | { readonly kind: 'tag'; readonly name: string; readonly value: string | undefined }
  /** Accounts at or below this ARM id. */
  | { readonly kind: 'scope'; readonly scope: string };

const SCOPE = /^\/subscriptions\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:\/[-\p{L}\p{M}\p{N}_.()/]+)?$/iu;

/** Parses `all`, `tag:name`, `tag:name=value` or an ARM id; undefined for any other text. */
export function parseRequirement(text: string): Requirement | undefined {
  if (text.toLowerCase() === 'all') return { kind: 'all' };
  if (text.startsWith('tag:')) {
    const [name = '', ...value] = text.slice('tag:'.length).split('=');
    return name === '' ? undefined : { kind: 'tag', name, value: value.length > 0 ? value.join('=') : undefined };
  }
  return SCOPE.test(text) ? { kind: 'scope', scope: text.replace(/\/+$/, '') } : undefined;
}

/** First requirement that an account matches. Tag names are case-insensitive, as in Azure Resource Manager. */
export function findRequirement(
  account: { readonly id: string; readonly tags: Readonly<Record<string, string>> },
  requirements: readonly Requirement[],
): Requirement | undefined {
  return requirements.find((requirement) => {
    if (requirement.kind === 'all') return true;
    if (requirement.kind === 'scope') {
      return `${account.id}/`.toLowerCase().startsWith(`${requirement.scope}/`.toLowerCase());
    }
    const value = findTag(account.tags, requirement.name);
    return value !== undefined && (requirement.value === undefined || value === requirement.value);
  });
}

export function findTag(tags: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.entries(tags).find(([tag]) => tag.toLowerCase() === name.toLowerCase())?.[1];
}

/**
 * Account tag that records that a person removed the account from its key on purpose: a time, and the person or reason.
 */
export const OPT_OUT_TAG = 'cmk-opt-out';

/** Maximum length of an Azure tag's value (Azure Resource Manager, "tags"). */
const LONGEST = 256;

/** Formats the value of the tag. */
export function formatOptOut(now: Date, by: string): string {
  return `${now.toISOString()} ${by}`.slice(0, LONGEST);
}

/**
 * Whether an account left its key on purpose: the tag's time is not earlier than the last read that found the account
 * on the key, as far as the clocks of the person and the app may differ. An older tag does not count, because the account
 * has returned to the key since. A date covers its whole day.
 */
export function isOptedOut(tags: Readonly<Record<string, string>>, lastSeen: Date): boolean {
  const [time = ''] = (findTag(tags, OPT_OUT_TAG) ?? '').trim().split(/\s/);
  if (/^\d{4}-\d\d-\d\d$/.test(time)) return time >= formatDay(lastSeen);
  return Date.parse(time) >= lastSeen.getTime() - CLOCKS_MS;
}
