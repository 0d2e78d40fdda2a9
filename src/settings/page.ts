import { type Environment, SettingsReader } from './reader.ts';

/** The page that the app serves. */
export interface PageSettings {
  readonly on: boolean;
  /** Origin of Entra ID as browsers reach it; undefined: the cloud's own. */
  readonly signIn: string | undefined;
}

/** A setting that is wrong takes the page away, and nothing else: it must not keep the app from moving accounts. */
export function readPage(environment: Environment): PageSettings {
  const reader = new SettingsReader(environment);
  const signIn = reader.read('CMK_PAGE_SIGN_IN');
  if (signIn === 'off') return { on: false, signIn: undefined };
  return { on: reader.problems.length === 0, signIn };
}
