import type { Key, RotationPolicy, Vault, World } from '../world.ts';
import { approximateDays, parseCalendarDuration } from './calendar-duration.ts';
import { badParameter } from './errors.ts';

/** Time of KeyNearExpiry without a Notify action in the policy: 30 days before (Event Grid's Key Vault schema). */
export const defaultNotifyBeforeExpiry = 'P30D';

/** Minimums in days, from "Configure key auto-rotation" and the specification of `expiryTime`. */
const minimum = { rotate: 7, rotateInHsm: 28, expiry: 28 };

/** The policy as GET shows it. A key that never had one shows the default notice and no expiry time. */
export function showRotationPolicy({ settings }: World, vault: Vault, key: Key): Record<string, unknown> {
  const id = `${vault.properties.vaultUri.replace(/\/$/, '')}/keys/${key.name}/rotationpolicy`;
  if (key.rotationPolicy) return { id, ...key.rotationPolicy };
  // A Managed HSM gives no notice. What it shows for a key that never had a policy is not documented.
  const lifetimeActions = vault.local ? [] : [defaultNotify()];
  return settings.sparseAnswers ? { lifetimeActions, attributes: null } : { id, lifetimeActions, attributes: {} };
}

/**
 * The policy of a PUT in Key Vault's spelling, with the default notice if it names none. Throws Key Vault's 400.
 * `nowSeconds` becomes `updated`, and `created` unless the key had a policy.
 */
export function readRotationPolicy(
  vault: Vault,
  body: Record<string, unknown>,
  before: RotationPolicy | undefined,
  nowSeconds: number,
): RotationPolicy {
  const attributes = (body.attributes ?? {}) as Record<string, unknown>;
  const expiryTime = duration(attributes.expiryTime, 'attributes.expiryTime');
  if (expiryTime && expiryTime.days < minimum.expiry) {
    throw badParameter(`The expiryTime of a key rotation policy must be at least ${minimum.expiry} days.`);
  }

  const asked = body.lifetimeActions ?? [];
  if (!Array.isArray(asked)) throw badParameter('lifetimeActions must be an array.');

  const least = vault.local ? minimum.rotateInHsm : minimum.rotate;
  const actions = asked.map((one) => readAction(one, expiryTime, least));
  if (vault.local && actions.some(({ action }) => action.type === 'Notify')) {
    throw badParameter('A Managed HSM does not support the lifetime action Notify.');
  }

  for (const type of ['Rotate', 'Notify']) {
    if (actions.filter(({ action }) => action.type === type).length > 1) {
      throw badParameter(`A key rotation policy can have one lifetime action of type ${type}.`);
    }
  }

  if (!vault.local && !actions.some(({ action }) => action.type === 'Notify')) actions.push(defaultNotify());

  return {
    lifetimeActions: actions,
    attributes: {
      ...(expiryTime ? { expiryTime: expiryTime.text } : {}),
      created: before?.attributes.created ?? nowSeconds,
      updated: nowSeconds,
    },
  };
}

type LifetimeAction = RotationPolicy['lifetimeActions'][number];
interface Length {
  readonly text: string;
  readonly days: number;
}

function readAction(value: unknown, expiryTime: Length | undefined, least: number): LifetimeAction {
  const { trigger: when, action } = (value ?? {}) as { trigger?: Record<string, unknown>; action?: { type?: unknown } };
  const type = String(action?.type ?? '').toLowerCase();
  if (type !== 'rotate' && type !== 'notify') {
    throw badParameter(`Unknown lifetime action: ${String(action?.type)}. Use Rotate or Notify.`);
  }

  const afterCreate = duration(when?.timeAfterCreate, 'trigger.timeAfterCreate');
  const beforeExpiry = duration(when?.timeBeforeExpiry, 'trigger.timeBeforeExpiry');
  const length = afterCreate ?? beforeExpiry;
  if (!length || (afterCreate && beforeExpiry)) {
    throw badParameter('A trigger has either timeAfterCreate or timeBeforeExpiry.');
  }

  if (type === 'notify' && afterCreate) throw badParameter('A Notify action takes timeBeforeExpiry only.');

  // For a time before expiry, the remaining interval between two versions counts: see below.
  if (length.days < (afterCreate ? least : minimum.rotate)) {
    throw badParameter(`The time of a lifetime action must be at least ${least} days.`);
  }

  if (type === 'rotate' && beforeExpiry && !expiryTime) {
    throw badParameter('A Rotate action with timeBeforeExpiry needs attributes.expiryTime.');
  }

  if (type === 'rotate' && expiryTime && length.days > expiryTime.days - least) {
    throw badParameter(`A rotation must be at least ${least} days from creation and from expiry.`);
  }

  return {
    trigger: afterCreate ? { timeAfterCreate: afterCreate.text } : { timeBeforeExpiry: length.text },
    action: { type: type === 'rotate' ? 'Rotate' : 'Notify' },
  };
}

function duration(value: unknown, name: string): Length | undefined {
  if (value === undefined || value === null) return undefined;
  const parsed = typeof value === 'string' ? parseCalendarDuration(value) : undefined;
  if (!parsed || typeof value !== 'string') throw badParameter(`${name} must be a duration such as P90D, P18M or P2Y.`);
  return { text: value, days: approximateDays(parsed) };
}

function defaultNotify(): LifetimeAction {
  return { trigger: { timeBeforeExpiry: defaultNotifyBeforeExpiry }, action: { type: 'Notify' } };
}
