import { DEFAULT_DIGEST_HOUR, type NotifyTarget } from './notify-targets.ts';
import { type Environment, SettingsReader } from './reader.ts';

export interface NotifySettings {
  /** One line for each problem: with any, no notification is sent, and everything else runs. */
  readonly problems: readonly string[];
  readonly targets: readonly NotifyTarget[];
  /** From which hour of the day on (UTC) the digest is sent. */
  readonly digestHour: number;
}

/** Reads whom to notify. What is wrong with it must not keep the app from anything else. */
export function readNotify(environment: Environment): NotifySettings {
  const reader = new SettingsReader(environment);
  const { targets = [], digestHour = DEFAULT_DIGEST_HOUR } = reader.read('CMK_NOTIFY') ?? {};
  return { problems: reader.problems, targets, digestHour };
}
