import type { KeyUse } from '../../accounts/key-use.ts';
import type { Contest } from '../../orders/standing-orders.ts';

/** What each tool has to leave alone, so that it no longer undoes what the app does. */
type Fix = Readonly<Record<'terraform' | 'bicep' | 'az', string>>;

/** The tool writes another version of the key. */
const LEAVE_VERSION: Fix = {
  terraform:
    '`key_vault_key_id = azurerm_key_vault_key.<name>.versionless_id`, or `lifecycle { ignore_changes = [key_version] }` of `azurerm_storage_account_customer_managed_key`',
  bicep: 'no `keyversion` in `properties.encryption.keyvaultproperties`',
  az: '`az storage account update` without `--encryption-key-version`',
};

/** The tool takes the account off its key, or leaves the key out of what it writes. */
const LEAVE_KEY: Fix = {
  terraform: '`lifecycle { ignore_changes = [customer_managed_key] }` of `azurerm_storage_account`',
  bicep: "`keySource: 'Microsoft.Keyvault'` with `keyvaultproperties` in `properties.encryption`",
  az: '`az storage account update` without `--encryption-key-source Microsoft.Storage`',
};

/** Client id of the Azure CLI, with which Terraform signs in too. */
const AZURE_CLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46';

/**
 * Says what ends the conflict, in the words of the tool that made the change. An event names a client, not a tool: the
 * Azure CLI's client stands for `az` and for tools that use its sign-in, and any other client may be a pipeline.
 */
export function describeContestFix({ by }: Pick<Contest, 'by'>, use: KeyUse | undefined): string {
  const fix = use ? LEAVE_VERSION : LEAVE_KEY;
  const declared = `Terraform: ${fix.terraform}. Bicep: ${fix.bicep}.`;

  return by.client?.toLowerCase() === AZURE_CLI
    ? `It signed in with the Azure CLI. In a script: ${fix.az}. ${declared}`
    : `${declared} Azure CLI: ${fix.az}.`;
}
