import { spawnSync } from 'node:child_process';

/** What a command answered; `status` is undefined when there is no such command. */
export interface Answer {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end and keeps what it prints. */
export function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Answer {
  const result = spawnSync(command, [...args], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    // The compiler is a .NET program; without this it needs ICU libraries that slim images lack.
    env: {
      ...process.env,
      ...env,
      DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: '1',
      DOTNET_CLI_TELEMETRY_OPTOUT: '1',
      DOTNET_NOLOGO: '1',
    },
  });

  if (result.error && 'code' in result.error && result.error.code === 'ENOENT') {
    return { status: undefined, stdout: '', stderr: `${command} is not installed` };
  }

  if (result.error) throw result.error;
  return { status: result.status ?? 1, stdout: result.stdout, stderr: result.stderr };
}
