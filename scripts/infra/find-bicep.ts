import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, run } from './run.ts';

/** The version that the committed templates are built with; bicep.csproj says the same, and a test compares them. */
export const BICEP_VERSION = '0.49.2';

const GROUP = '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers';
/** What the parameter files read from the environment and cannot do without. */
const EXAMPLE = {
  AZURE_ENV_NAME: 'example',
  AZURE_LOCATION: 'westeurope',
  CMK_VAULTS: `${GROUP}/Microsoft.KeyVault/vaults/kv`,
  CMK_ALLOWED_CALLERS: '203.0.113.0/24',
  CMK_APP_PRINCIPAL_ID: '00000000-0000-0000-0000-000000000000',
  CMK_FUNCTION_APP_ID: `${GROUP}/Microsoft.Web/sites/func`,
  CMK_STORAGE_ACCOUNT_ID: `${GROUP}/Microsoft.Storage/storageAccounts/stcmk`,
  CMK_WORK_STORAGE_ACCOUNT_ID: `${GROUP}/Microsoft.Storage/storageAccounts/stcmkw`,
  CMK_INSIGHTS_ID: `${GROUP}/Microsoft.Insights/components/appi`,
  CMK_WORKSPACE_ID: `${GROUP}/Microsoft.OperationalInsights/workspaces/log`,
};

/** A Bicep compiler: how to call it and which version it is. */
export interface Bicep {
  readonly version: string;
  readonly from: string;
  readonly run: (args: readonly string[]) => Answer;
}

/** Name of the compiler's NuGet package for this machine, as NuGet's runtime identifiers go. */
function runtimeIdentifier(platform: NodeJS.Platform, arch: string): string {
  const system = { linux: 'linux', darwin: 'osx', win32: 'win' }[platform as string];
  if (!system || (arch !== 'x64' && arch !== 'arm64')) {
    throw new Error(`There is no Bicep compiler for ${platform} ${arch}. Install one yourself and put it on PATH.`);
  }
  return `${system}-${arch}`;
}

function versionIn(answer: Answer): string | undefined {
  return answer.status === 0 ? /version (\d+\.\d+\.\d+)/.exec(answer.stdout)?.[1] : undefined;
}

function installed(): Bicep | undefined {
  const candidates: [string, (args: readonly string[]) => Answer][] = [
    ['bicep', (args) => run('bicep', args, EXAMPLE)],
    ['az bicep', azBicep],
  ];
  for (const [from, call] of candidates) {
    const version = versionIn(from === 'bicep' ? call(['--version']) : call(['version']));
    if (version) return { version, from, run: call };
  }
  return undefined;
}

/** `az bicep` takes the file as `--file` where `bicep` takes it bare. */
function azBicep(args: readonly string[]): Answer {
  const [verb = '', file, ...rest] = args;
  return run('az', ['bicep', verb, ...(file ? ['--file', file] : []), ...rest], EXAMPLE);
}

/** Fetches the compiler as a NuGet package into `cache`, once. */
function fetched(root: string, cache: string): Bicep {
  const rid = runtimeIdentifier(process.platform, process.arch);
  const folder = join(cache, `azure.bicep.commandline.${rid}`, BICEP_VERSION, 'tools');
  const executable = join(folder, process.platform === 'win32' ? 'bicep.exe' : 'bicep');
  if (!existsSync(executable)) {
    mkdirSync(cache, { recursive: true });

    const project = join(root, 'scripts/infra/bicep.csproj');
    const answer = run('dotnet', [
      'restore',
      project,
      '--packages',
      cache,
      `-p:BicepRid=${rid}`,
      `-p:BicepVersion=${BICEP_VERSION}`,
      // Its obj folder does not belong beside the sources.
      `-p:BaseIntermediateOutputPath=${join(cache, 'obj')}/`,
    ]);

    if (answer.status === undefined) {
      throw new Error(
        'There is no Bicep compiler here, and no dotnet to fetch one. Install one of them: https://aka.ms/bicep-install',
      );
    }

    if (answer.status !== 0 || !existsSync(executable)) {
      throw new Error(`The Bicep compiler could not be fetched from NuGet:\n${answer.stdout}${answer.stderr}`);
    }

    chmodSync(executable, 0o755);
  }

  const version = versionIn(run(executable, ['--version']));
  if (!version) throw new Error(`${executable} does not run. Delete ${cache} and try again.`);

  return { version, from: 'NuGet', run: (args) => run(executable, args, EXAMPLE) };
}

/**
 * The compiler to use: an installed one of the pinned version, else the fetched one, else an installed one of any
 * version, which can check the templates but not write them.
 */
export function findBicep(root: string): Bicep {
  const own = installed();
  if (own?.version === BICEP_VERSION) return own;
  try {
    return fetched(root, join(root, 'node_modules/.cache/bicep'));
  } catch (error) {
    if (own) return own;
    throw error;
  }
}
