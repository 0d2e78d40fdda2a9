import type { Command } from 'commander';
import { GUID } from '../../http/auth-config.ts';
import { CRYPTO_OFFICER, ENCRYPTION_USER, roleNameIn } from '../../identities/key-roles.ts';
import type { Grantee } from '../../operations/identity/local-role-ensure.ts';
import type { Azure } from '../../operations/operator-azure.ts';
import type { Cli } from '../cli.ts';
import { changing, inGroup, inVault, waiting } from '../options.ts';

export function addIdentityCommands(program: Command, cli: Cli): void {
  const identity = program.command('identity').description('identities that accounts reach their keys with');
  inVault(inGroup(changing(identity.command('ensure')), 'to create it in'), 'the vault whose keys it may use', true)
    .argument('<identity>', 'name or ARM id')
    .description(
      `create a user-assigned identity, and let it use the keys of a vault (${ENCRYPTION_USER.name}; with --hsm ${ENCRYPTION_USER.local.name})`,
    )
    .option('--key <key>', 'this key alone, instead of every key of the vault')
    .action(async (name: string, options: { vault: string; key?: string }, command: Command) => {
      const { subscription, resourceGroup, location } = command.optsWithGlobals<{
        subscription?: string;
        resourceGroup?: string;
        location?: string;
      }>();
      const { ensureIdentity, ensureIdentityRole } = await import('../../operations/identity/identity-ensure.ts');
      const { findVault, keyIn } = await import('../../operations/resolve.ts');
      await cli.run(command, async (operation) => {
        const vault = await findVault(options.vault, operation.azure);
        if (options.key !== undefined) keyIn(vault, options.key, operation.azure.cloud);
        const ensured = await ensureIdentity({ name, subscription, resourceGroup, location }, operation);
        await ensureIdentityRole(ensured, vault, options.key, operation);
        return ensured;
      });
    });

  const role = program.command('role').description('rights on keys');
  inVault(waiting(changing(role.command('ensure'))), 'the vault that it is given on', true)
    .description(
      `give "${CRYPTO_OFFICER.name}" to yourself (--assignee me), or "${ENCRYPTION_USER.name}" to an identity; with --hsm "${CRYPTO_OFFICER.local.name}" and "${ENCRYPTION_USER.local.name}"`,
    )
    .requiredOption('--assignee <who>', 'me; or name, ARM id or principal id of an identity')
    .option('--key <key>', 'this key alone, instead of every key of the vault')
    .action(async (options: { assignee: string; vault: string; key?: string; wait: number }, command: Command) => {
      const { ensureOfficer, ensureRole } = await import('../../operations/identity/role-ensure.ts');
      const { findVault, keyIn } = await import('../../operations/resolve.ts');
      await cli.run(command, async (operation) => {
        const vault = await findVault(options.vault, operation.azure);
        if (options.assignee === 'me') {
          // Any name will do to find out whether keys can be read.
          await ensureOfficer(
            vault,
            keyIn(vault, options.key ?? 'any', operation.azure.cloud),
            options.wait,
            operation,
          );
          return { role: roleNameIn(CRYPTO_OFFICER, vault), scope: vault.id };
        }
        const grantee = await granteeOf(options.assignee, operation.azure);
        await ensureRole(ENCRYPTION_USER, grantee, vault, options.key, operation);
        return { role: roleNameIn(ENCRYPTION_USER, vault), principalId: grantee.principalId, scope: vault.id };
      });
    });
}

async function granteeOf(who: string, azure: Azure): Promise<Grantee> {
  const principal = { principalType: 'ServicePrincipal' } as const;
  if (GUID.test(who)) return { principalId: who.toLowerCase(), name: who, ...principal };
  const { findIdentity } = await import('../../operations/resolve.ts');
  const { principalId, name } = await findIdentity(who, azure);
  return { principalId, name, ...principal };
}
