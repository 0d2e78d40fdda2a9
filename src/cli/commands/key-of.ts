import type { Command } from 'commander';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { Cli, GlobalOptions } from '../cli.ts';

/** The key that a command is about. */
export async function keyOf(name: string, command: Command, cli: Cli): Promise<ManagedKey> {
  const { keyByName } = await import('../../operations/resolve.ts');
  const options = command.optsWithGlobals<GlobalOptions & { vault?: string }>();
  return keyByName(name, options.vault, cli.cloud(options));
}
