import type { KeyKind } from '../keys/key-admin-client.ts';
import { DAY_MS } from '../time/spans.ts';

export type KeyDemand =
  | { readonly kind: 'expiry' }
  /** Denies keys that expire within the number of days. Permits keys without an expiry. */
  | { readonly kind: 'remaining'; readonly days: number }
  /** Denies keys without an expiry, and keys that live longer than the number of days. */
  | { readonly kind: 'validity'; readonly days: number }
  /** Denies RSA keys with fewer bits. */
  | { readonly kind: 'size'; readonly bits: number }
  | { readonly kind: 'types'; readonly allowed: readonly string[] }
  /** Denies keys without hardware protection. */
  | { readonly kind: 'hardware' };

/** The version that the next rotation would create. */
export interface NextVersion {
  readonly createdOn: Date;
  readonly expiresOn: Date | undefined;
}

/** Whether the policy denies a version with this expiry. False if the policy concerns the key itself. */
export function deniesVersion(demand: KeyDemand, { createdOn, expiresOn }: NextVersion): boolean {
  const after = (days: number): number => createdOn.getTime() + days * DAY_MS;
  switch (demand.kind) {
    case 'expiry':
      return !expiresOn;
    case 'remaining':
      // Azure evaluates the policy after the creation. An expiry exactly at the minimum is too early by then.
      return expiresOn !== undefined && expiresOn.getTime() <= after(demand.days);
    case 'validity':
      return !expiresOn || expiresOn.getTime() > after(demand.days);
    default:
      return false;
  }
}

/** Whether the policy denies a key of this type and size. False if the policy concerns the expiry. */
export function deniesMaterial(demand: KeyDemand, { type, size }: KeyKind): boolean {
  const isOf = (kind: RegExp): boolean => kind.test(type);
  switch (demand.kind) {
    case 'size':
      return isOf(/^RSA(-HSM)?$/i) && size !== undefined && size < demand.bits;
    case 'types':
      return !demand.allowed.some((one) => one.toLowerCase() === type.toLowerCase());
    case 'hardware':
      return !isOf(/^(RSA|EC)-HSM$/i);
    default:
      return false;
  }
}

type Value = (parameter: string) => unknown;
type Read = (value: Value) => KeyDemand | undefined;

const expiry: Read = () => ({ kind: 'expiry' });
const types: Read = (value) => ofTypes(value('allowedkeytypes'));
const hardware: Read = () => ({ kind: 'hardware' });
const validity: Read = (value) => ofDays('validity', value('maximumvalidityindays'));
const remaining: Read = (value) => ofDays('remaining', value('minimumdaysbeforeexpiration'));
// The default is 90 if the parameter is omitted. Null is an expression with an unknown value.
const remainingOrDefault: Read = (value) =>
  value('minimumdaysbeforeexpiration') === undefined ? { kind: 'remaining', days: 90 } : remaining(value);
const size: Read = (value) => ofSize(value('minimumrsakeysize'));

/**
 * Built-in definitions that may deny a new version, by name (github.com/Azure/azure-policy, built-in-policies, "Key
 * Vault", of April 2026). Definitions about curves are omitted, because Storage supports only RSA keys. "Keys should
 * not be active for longer than the specified number of days" (c26e4b24) never denies a new version. The definition
 * about rotation policies (d8cf8476) only audits. Omitted parameters permit every such key, except where a default is
 * given here.
 */
const DEFINITIONS = {
  vault: new Map<string, Read>([
    ['152b15f7-8e1f-4c1f-ab71-8c010ba5dbc0', expiry],
    ['5ff38825-c5d8-47c5-b70e-069a21955146', remaining],
    ['49a22571-d204-4c91-a7b6-09b1a586fbc9', validity],
    ['82067dbb-e53b-4e06-b631-546d197452d9', size],
    ['75c4f823-d65c-4f29-a733-01d0077fdbcb', types],
    ['587c79fe-dd04-4a5e-9d0b-f89598c7261b', hardware],
  ]),
  managedHsm: new Map<string, Read>([
    ['1d478a74-21ba-4b9f-9d8f-8e6fced0eec5', expiry],
    ['ad27588c-0198-4c84-81ef-08efd0274653', remainingOrDefault],
    ['86810a98-8e91-4a44-8386-ec66d0de5d57', size],
    ['1fd3b2cc-9904-40fa-b8da-050c02612da9', types],
  ]),
} as const;

const BUILT_IN = /^\/providers\/Microsoft\.Authorization\/policyDefinitions\/([^/]+)$/i;

/**
 * Returns what a definition with the effect `Deny` demands of keys. Undefined for an unknown definition or invalid
 * parameters.
 *
 * @param value returns a parameter by its lower-case name; undefined: omitted; null: an expression with an unknown
 * value
 */
export function keyDemand(
  definitionId: string,
  kind: keyof typeof DEFINITIONS,
  value: (parameter: string) => unknown,
): KeyDemand | undefined {
  const [, name = ''] = BUILT_IN.exec(definitionId) ?? [];
  return DEFINITIONS[kind].get(name.toLowerCase())?.(value);
}

function ofDays(kind: 'remaining' | 'validity', value: unknown): KeyDemand | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? { kind, days: value } : undefined;
}

function ofSize(bits: unknown): KeyDemand | undefined {
  return typeof bits === 'number' ? { kind: 'size', bits } : undefined;
}

function ofTypes(value: unknown): KeyDemand | undefined {
  // A value with a leading bracket is an expression.
  const isPlain = (one: unknown): boolean => typeof one === 'string' && !one.startsWith('[');
  return Array.isArray(value) && value.every(isPlain) ? { kind: 'types', allowed: value } : undefined;
}
