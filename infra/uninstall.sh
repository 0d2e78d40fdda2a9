#!/bin/sh
# Parts of docs/how-to/uninstall.md that are loops.
#
#   VAULTS='<vault> …' sh infra/uninstall.sh look                           prints what is revoked, and changes nothing
#   SUBSCRIPTIONS='<id> …' sh infra/uninstall.sh events <environment>       deletes what tells the app of changes there
#   SUBSCRIPTIONS='<id> …' sh infra/uninstall.sh roles <environment>        deletes the app's role assignments and roles
#
# The subscriptions are those of the app, its vaults and their system topics, the accounts, and the secret of the notifications.
# The app is CMK_FUNCTION_APP_NAME, its principal CMK_APP_PRINCIPAL_ID, of the shell, else of the azd environment.
set -u

usage='usage: VAULTS=… sh infra/uninstall.sh look | SUBSCRIPTIONS=… sh infra/uninstall.sh events|roles <environment>'

# Every version is looked at: one that was made after a revocation has no record.
look() {
  for vault in ${VAULTS:?$usage}; do
    for key in $(az keyvault key list --vault-name "$vault" -o tsv --query '[].name'); do
      az keyvault key list-versions --vault-name "$vault" --name "$key" -o tsv \
        --query '[?tags."cmk-revocation"].[kid, tags."cmk-revocation"]'
    done
  done
}

# The event subscriptions at the subscriptions themselves that aim at the app, whatever their names.
events() {
  environment="$1"
  app="${CMK_FUNCTION_APP_NAME:-$(azd env get-value CMK_FUNCTION_APP_NAME -e "$environment")}"
  : "${app:?is not known: set CMK_FUNCTION_APP_NAME, an output of the deployment}"
  for subscription in ${SUBSCRIPTIONS:?$usage}; do
    az rest --method get -o tsv \
      --url "/subscriptions/$subscription/providers/Microsoft.EventGrid/eventSubscriptions?api-version=2025-02-15" \
      --query "value[?contains(properties.destination.properties.resourceId || '', '/sites/$app/functions/')].id" |
      xargs -r -I '{}' az rest --method delete --url '{}?api-version=2025-02-15'
  done
}

# Assignments first, while their principal can be named. Azure refuses to delete a role that another principal has.
roles() {
  environment="$1"
  principal="${CMK_APP_PRINCIPAL_ID:-$(azd env get-value CMK_APP_PRINCIPAL_ID -e "$environment")}"
  # Without the principal, az would list the role assignments of every principal.
  : "${principal:?is not known: set CMK_APP_PRINCIPAL_ID, an output of the deployment}"
  for subscription in ${SUBSCRIPTIONS:?$usage}; do
    az role assignment list --all --assignee "$principal" --subscription "$subscription" --query '[].id' -o tsv |
      xargs -r az role assignment delete --ids
    az role definition list --custom-role-only --scope "/subscriptions/$subscription" -o tsv \
      --query "[?starts_with(roleName, 'CMK Autopilot ') && contains(roleName, '($environment, ')].name" |
      xargs -r -n 1 az role definition delete --scope "/subscriptions/$subscription" --name
  done
}

case "${1:-}" in
  look) look ;;
  events) events "${2:?$usage}" ;;
  roles) roles "${2:?$usage}" ;;
  *)
    printf '%s\n' "$usage" >&2
    exit 2
    ;;
esac
