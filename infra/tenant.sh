#!/bin/sh
# azd and the Azure CLI sign in apart from each other. The app registration is made by the one (entra.sh), the app by the
# other, and an app takes tokens of its own tenant only: so this stops where the two are in different tenants.

set -eu

die() { printf '%s\n' "$*" >&2; exit 1; }

command -v az >/dev/null 2>&1 || die 'tenant: the Azure CLI is not installed: https://aka.ms/install-azure-cli'
signed_in="$(az account show --query tenantId -o tsv)" || die 'tenant: sign in first: az login'
if [ -n "${AZURE_SUBSCRIPTION_ID:-}" ]; then
  deployed_to="$(az account show --subscription "$AZURE_SUBSCRIPTION_ID" --query tenantId -o tsv 2>/dev/null)" ||
    die "tenant: azd deploys to the subscription $AZURE_SUBSCRIPTION_ID, which the sign-in of the Azure CLI (tenant $signed_in) does not see. Sign in to its tenant: az login --tenant <id>"
  [ "$deployed_to" = "$signed_in" ] ||
    die "tenant: azd deploys to the subscription $AZURE_SUBSCRIPTION_ID of the tenant $deployed_to; the Azure CLI is in the tenant $signed_in. Make them one: az account set --subscription $AZURE_SUBSCRIPTION_ID"
fi
