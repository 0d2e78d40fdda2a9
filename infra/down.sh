#!/bin/sh
# azd runs this before `azd down`, and goes no further. `azd down` deletes every resource group in which the deployment
# put something, and that is not only the app's own: a role assignment on a vault counts, so the vault's group would go,
# with the vault and the system topic in it, and the groups in CMK_STORAGE_RESOURCE_GROUPS with the storage accounts in
# them (Azure/azure-dev#2916). Later versions of azd ask first, but not with --force.

group="${AZURE_RESOURCE_GROUP:-rg-cmk-${AZURE_ENV_NAME:-<environment>}}"
cat >&2 <<EOF
Not done: "azd down" would also delete the resource groups of the managed vaults, and of the storage accounts if they are
named in CMK_STORAGE_RESOURCE_GROUPS, because the app has roles there. Nothing was deleted.

To remove the app alone, follow docs/how-to/uninstall.md; its resource group goes by

    az group delete --name $group
EOF
exit 1
