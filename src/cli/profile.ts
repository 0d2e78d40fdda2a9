import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CmkError } from '../errors.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** What a profile may set: which Azure and which app. Secrets have no place in a file of names. */
const SETTABLE = [
  'AZURE_SUBSCRIPTION_ID',
  'AZURE_CLOUD',
  'AzureWebJobsStorage__accountName',
  'CMK_WORK__queueServiceUri',
  'CMK_AUDIT__blobServiceUri',
  'CMK_API',
  'CMK_API_AUDIENCE',
  'CMK_VAULTS',
  'CMK_SUBSCRIPTIONS',
  'CMK_DUAL_CONTROL',
  'CMK_FUNCTION_APP_ID',
  'CMK_STORAGE_ACCOUNT_ID',
  'CMK_AUTOFIX',
];

/** Which app: of what a profile says about one, nothing may be left that the environment says about another. */
const NAMES_APP = /^(AzureWebJobsStorage(__.+)?|CMK_(WORK|AUDIT)(__.+)?|CMK_API(_AUDIENCE)?)$/;

/** The profile that a command line asks for, else that of `CMK_PROFILE`. */
export function profileAsked(args: readonly string[], { CMK_PROFILE }: Variables): string | undefined {
  const asked = args.flatMap((arg, at) => {
    const value = arg === '--profile' ? args[at + 1] : /^--profile=(.+)$/.exec(arg)?.[1];
    return value ?? [];
  });
  return asked.at(-1) ?? (CMK_PROFILE || undefined);
}

/** Where profiles are (XDG Base Directory Specification); undefined without a home. */
function profilesFile({ XDG_CONFIG_HOME, HOME, APPDATA }: Variables): string | undefined {
  const folder = XDG_CONFIG_HOME || APPDATA || (HOME && join(HOME, '.config'));
  return folder ? join(folder, 'cmk', 'profiles.json') : undefined;
}

/** Names of the profiles that there are; none when they cannot be read. */
export function profileNames(environment: Variables): string[] {
  try {
    return Object.keys(read(profilesFile(environment) ?? ''));
  } catch {
    return [];
  }
}

/**
 * The environment with what a profile says, which goes before what was set already: it was asked for.
 *
 * @throws {@link CmkError} `ArgumentInvalid` when there is no such profile, or it sets what it may not
 */
export function withProfile(environment: Variables, name: string): Variables {
  const file = profilesFile(environment);
  const profiles = file === undefined ? {} : read(file);
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (typeof profile !== 'object' || profile === null) {
    const known = Object.keys(profiles);
    throw new CmkError(
      'ArgumentInvalid',
      `There is no profile "${name}" in ${file ?? 'your home, which is not known'}.`,
      known.length > 0
        ? `Choose one of ${known.join(', ')}.`
        : 'Write it: {"prod": {"AZURE_SUBSCRIPTION_ID": "…", "AzureWebJobsStorage__accountName": "…", "CMK_VAULTS": "…"}}',
    );
  }
  const entries = Object.entries(profile);
  const wrong = entries.filter(([key, value]) => !SETTABLE.includes(key) || typeof value !== 'string');
  if (wrong.length > 0) {
    throw new CmkError(
      'ArgumentInvalid',
      `The profile "${name}" may not set ${wrong.map(([key]) => key).join(', ')}.`,
      `It takes strings for ${SETTABLE.join(', ')}; secrets stay in the environment.`,
    );
  }
  const namesApp = entries.some(([key]) => NAMES_APP.test(key));
  const kept = Object.entries(environment).filter(([key]) => !(namesApp && NAMES_APP.test(key)));
  return Object.fromEntries([...kept, ...entries]);
}

function read(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    const profiles: unknown = JSON.parse(text);
    if (typeof profiles === 'object' && profiles !== null && !Array.isArray(profiles)) return { ...profiles };
  } catch {
    // reported below
  }
  throw new CmkError('ArgumentInvalid', `${file} is not a JSON object.`, 'Correct it: {"prod": {"CMK_VAULTS": "…"}}');
}
