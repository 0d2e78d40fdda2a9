import type { KeySummary } from '../api/types.ts';
import type { Tone } from '../ui/tone.ts';

/** The next date of a key, which may be overdue. */
export interface Due {
  readonly next: string;
  readonly overdue: string;
  readonly at: number;
}

/** The life of a key's newest version. Times in milliseconds. */
export interface ExpiryRow {
  readonly key: string;
  readonly vault: string;
  readonly name: string;
  readonly from: number;
  /** Undefined: it never expires. */
  readonly expiry: number | undefined;
  readonly rotation: number | undefined;
  readonly period: number | undefined;
  readonly tone: Tone;
  /** Whether no version is usable. The due date does not matter then. */
  readonly isOff: boolean;
  /** The earliest of rotation, expiry and end of the crypto-period; undefined if none has a date. */
  readonly due: Due | undefined;
}

/**
 * A key that expires, or whose crypto-period ends, within this time is shown as a warning. Key Vault's near-expiry event comes 30
 * days before.
 */
const SOON_MS = 30 * 86_400_000;

/** Keys that have a version: first those without a usable one, then by due date. */
export function expiryRows(keys: readonly KeySummary[], now: number): readonly ExpiryRow[] {
  return keys
    .flatMap((key) => expiryRow(key, now) ?? [])
    .sort(
      (a, b) =>
        Number(b.isOff) - Number(a.isOff) ||
        (a.due?.at ?? Infinity) - (b.due?.at ?? Infinity) ||
        (a.key < b.key ? -1 : 1),
    );
}

function expiryRow(of: KeySummary, now: number): ExpiryRow | undefined {
  const { key, vault, name, state, newest, expiresOn, nextRotation, cryptoPeriodEndsOn } = of;
  if (!newest) return undefined;

  const planned = nextRotation?.by === 'none' ? undefined : nextRotation?.on;
  const [expiry, rotation, period] = [expiresOn, planned, cryptoPeriodEndsOn].map(msOf);
  const dues = [
    { next: 'Rotates', overdue: 'Rotation was due', at: rotation },
    { next: 'Expires', overdue: 'Expired', at: expiry },
    { next: 'Crypto-period ends', overdue: 'Crypto-period ended', at: period },
  ];

  const [first] = dues
    .flatMap(({ at, ...words }) => (at === undefined ? [] : [{ ...words, at }]))
    .sort((a, b) => a.at - b.at);
  const isSoon = [expiry, period].some((at) => at !== undefined && at - now < SOON_MS);
  const isOff = state === 'revoked' || state === 'disabled';
  const isOverdue = first !== undefined && first.at < now;
  const whileActive = isSoon ? 'warn' : 'good';
  const tone = isOff || isOverdue ? 'bad' : whileActive;

  return { key, vault, name, isOff, from: Date.parse(newest.activeFrom), expiry, rotation, period, tone, due: first };
}

const msOf = (time: string | undefined): number | undefined => (time === undefined ? undefined : Date.parse(time));
