#!/bin/sh
# The app registration of the break-glass API, with its four app roles. Can be run again: what is right is left alone.
#
#   sh infra/entra.sh                                      make or fix the registration
#   sh infra/entra.sh --assign <object id> <role>          give a role to a person, group or service principal
#   sh infra/entra.sh --page https://<host of the app>     let people sign in to the app's page
#   sh infra/entra.sh --pim <role> <approvers> <eligible> ...  have a role approved: by the members of a group, for people (object ids)
#   sh infra/entra.sh --drop-owner                         leave the registration without an owner: an owner can grant every role
#
# --pim makes a group that has the role and whose eligible members activate it by Entra Privileged Identity Management (Entra ID
# P2 or ID Governance): with approval, justification, ticket and multifactor authentication, for CMK_PIM_HOURS (2). The Azure
# CLI's own sign-in lacks Graph's permissions for that (https://github.com/Azure/azure-cli/issues/30149): CMK_GRAPH_TOKEN is a
# token that has them, or the CLI is signed in as a service principal that does.
#
# With CMK_PROFILE=bank, --page ends as --drop-owner does: nothing that a deployment does writes after it.
#
# Needs the Azure CLI, signed in as somebody who may make app registrations (Application Administrator, or the default
# right of members). Restore is a role for people; CMK_RESTORE_APPLICATIONS, if it is set, lets applications have it too (the
# app's setting of that name says which may use it). CMK_ENTRA=skip leaves everything alone; CMK_API_CLIENT_ID names an existing registration.

set -eu

# In a shell that names no environment, by that of azd. What azd says where it has none is no value.
of_azd() { if command -v azd >/dev/null 2>&1 && value="$(azd --no-prompt env get-value "$1" 2>/dev/null)"; then printf '%s' "$value"; fi; }
client_id="${CMK_API_CLIENT_ID:-}"
environment="${AZURE_ENV_NAME:-}"
if [ -z "$environment" ]; then
  environment="$(of_azd AZURE_ENV_NAME)"
  [ -z "$environment" ] || [ -n "$client_id" ] || client_id="$(of_azd CMK_API_CLIENT_ID)"
fi
environment="${environment:-dev}"
name="${CMK_API_NAME:-CMK Autopilot ($environment)}"

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# Runs a command, and again while it fails: what was just made in Entra ID is not at once known wherever it is asked for.
# What is said of a failure is shown when there is no further try.
errors="$(mktemp)"
headers=
trap 'rm -f "$errors" $headers' EXIT
retry() {
  left=6
  until answer="$("$@" 2>"$errors")"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { cat "$errors" >&2; return 1; }
    sleep "${CMK_ENTRA_PAUSE:-5}"
  done
  [ -z "$answer" ] || printf '%s\n' "$answer"
}

if [ "${CMK_ENTRA:-}" = skip ]; then
  say 'entra: left alone (CMK_ENTRA=skip)'
  exit 0
fi
command -v az >/dev/null 2>&1 || die 'entra: the Azure CLI is not installed: https://aka.ms/install-azure-cli'
tenant="$(az account show --query tenantId -o tsv)" || die 'entra: sign in first: az login'
graph="$(az cloud show --query endpoints.microsoftGraphResourceId -o tsv)"
graph="${graph%/}/v1.0"

# Ids of the roles and of the scope are the app's own names for them, the same in every tenant.
role_id() {
  case "$1" in
    CmkKey.Read) echo 6a1f7a52-7d0c-4c8e-9b2b-0f6e1c0d1a01 ;;
    CmkKey.Revoke) echo 6a1f7a52-7d0c-4c8e-9b2b-0f6e1c0d1a02 ;;
    CmkKey.Restore) echo 6a1f7a52-7d0c-4c8e-9b2b-0f6e1c0d1a03 ;;
    Cmk.Operate) echo 6a1f7a52-7d0c-4c8e-9b2b-0f6e1c0d1a04 ;;
    *) die "entra: there is no role $1; CmkKey.Read, CmkKey.Revoke, CmkKey.Restore and Cmk.Operate are the roles" ;;
  esac
}

# What is asked for is looked at before anything is made.
usage='usage: sh infra/entra.sh [--assign <object id> <role> | --pim <role> <approvers> <eligible> ... | --page https://<host of the app> | --drop-owner]'
case "${1:-}" in
  '') ;;
  --assign)
    [ $# -eq 3 ] || die "$usage"
    role_id "$3" >/dev/null
    ;;
  --page)
    [ $# -eq 2 ] || die "$usage"
    case "$2" in https://?*) ;; *) die "entra: $2 is not the https address of an app" ;; esac
    ;;
  --pim)
    [ $# -ge 4 ] || die "$usage"
    role_id "$2" >/dev/null
    [ "$2" != CmkKey.Revoke ] || die 'entra: CmkKey.Revoke is not to be approved: revoking must not wait'
    case "${CMK_PIM_HOURS:-2}" in [1-8]) ;; *) die 'entra: CMK_PIM_HOURS is not a number from 1 to 8, the longest that Entra ID allows' ;; esac
    ;;
  --drop-owner) [ $# -eq 1 ] || die "$usage" ;;
  *) die "entra: what is $1? $usage" ;;
esac

role_text() {
  case "$1" in
    CmkKey.Read) echo 'See keys and what depends on them, the fleet, drift reports and the audit trail.' ;;
    CmkKey.Revoke) echo 'Cut off the data under a key, by disabling every version of it.' ;;
    CmkKey.Restore) echo 'Give back access after a revocation that somebody else made.' ;;
    Cmk.Operate) echo 'Pause and resume, order re-keys, start a drift check with what it fixes. Includes CmkKey.Read.' ;;
  esac
}
# Who can be given a role. An application with the role to restore would be a second identity of whoever owns it.
role_members() {
  if [ "$1" = CmkKey.Restore ] && [ -z "${CMK_RESTORE_APPLICATIONS:-}" ]; then echo '["User"]'; else echo '["User","Application"]'; fi
}
scope_id=6a1f7a52-7d0c-4c8e-9b2b-0f6e1c0d1a10
# The Azure CLI itself, so that an operator can get a token: az account get-access-token --scope api://<id>/.default
azure_cli=04b07795-8ddb-461a-bbee-02f9e1bf7b46

# 1. The registration.
how='by its id'
if [ -z "$client_id" ]; then
  how='by its name'
  # A quote in a name is written twice.
  quoted="$(printf '%s' "$name" | sed "s/'/''/g")"
  client_id="$(az ad app list --filter "displayName eq '$quoted'" --query '[].appId' -o tsv)"
  [ "$(printf '%s' "$client_id" | grep -c .)" -le 1 ] ||
    die "entra: several registrations are called \"$name\"; say which: CMK_API_CLIENT_ID=<client id>"
fi
if [ -z "$client_id" ]; then
  # One that is new would be of no use to an app that takes tokens of another.
  [ $# -eq 0 ] || die "entra: there is no registration \"$name\". Say which environment it is of (AZURE_ENV_NAME=<name>) or which one it is (CMK_API_CLIENT_ID=<client id>), or make it: sh infra/entra.sh"
  client_id="$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId -o tsv)"
  how=made
  say "entra: made the registration \"$name\" ($client_id)"
else
  say "entra: the registration \"$name\" is there ($client_id)"
fi
show() { retry az ad app show --id "$client_id" --query "$1" -o "${2:-tsv}"; }
object_id="$(show id)"

patch() { # patch <what> <body>
  retry az rest --method PATCH --url "$graph/applications/$object_id" --headers Content-Type=application/json --body "$2" -o none
  say "entra: set $1"
}

append() { # append <JSON array> <JSON entry>
  case "$(printf '%s' "$1" | tr -d ' \n')" in
    '' | null | '[]') printf '[%s]' "$2" ;;
    *) printf '%s,%s]' "${1%]*}" "$2" ;;
  esac
}

# Adds to a list what is not in it. A list is written as a whole: where it cannot be read, this stops here, since what others
# put into it would go.
add() { # add <what> <list> <query: whether, or how often, it is in it> <JSON entry> <body, with %s for the list>
  there="$(show "$3")"
  case "$there" in true | [1-9]*) return ;; esac
  list="$(show "$2" json)"
  # shellcheck disable=SC2059 # the body is the format
  patch "$1" "$(printf "$5" "$(append "$list" "$4")")"
}

# Whose it is. Another team may call its environment the same, and would share its roles: who may revoke there could here.
if [ -n "${AZURE_SUBSCRIPTION_ID:-}" ] && [ "$how" != 'by its id' ]; then
  mark="cmk-autopilot:$AZURE_SUBSCRIPTION_ID"
  marked="$(show "join(',', (tags || \`[]\`)[?starts_with(@, 'cmk-autopilot:')])")"
  if [ "$how" = made ]; then
    patch 'the subscription that it is of' "{\"tags\":[\"$mark\"]}"
  elif [ "${marked:-$mark}" != "$mark" ]; then
    die "entra: the registration \"$name\" is of an app in the subscription ${marked#cmk-autopilot:}. Make one of your own by another name (CMK_API_NAME=<name>), or say that this one is meant (CMK_API_CLIENT_ID=$client_id)"
  fi
fi

# 2. Its name in tokens, version 2.0 tokens, and the scope by which a signed-in person asks for one.
add "the identifier api://$client_id" identifierUris "contains(identifierUris, 'api://$client_id')" \
  "\"api://$client_id\"" '{"identifierUris":%s}'
version="$(show api.requestedAccessTokenVersion)"
[ "$version" = 2 ] || patch 'access tokens of version 2.0' '{"api":{"requestedAccessTokenVersion":2}}'
add 'the scope access_as_user' api.oauth2PermissionScopes "length(api.oauth2PermissionScopes[?id=='$scope_id'])" \
  "{\"id\":\"$scope_id\",\"value\":\"access_as_user\",\"type\":\"User\",\"isEnabled\":true,\"adminConsentDisplayName\":\"Use the break-glass API\",\"adminConsentDescription\":\"Call the break-glass API as the signed-in person, with the roles of that person.\",\"userConsentDisplayName\":\"Use the break-glass API\",\"userConsentDescription\":\"Call the break-glass API with your roles.\"}" \
  '{"api":{"oauth2PermissionScopes":%s}}'
add 'the Azure CLI as a client that needs no consent' api.preAuthorizedApplications "length(api.preAuthorizedApplications[?appId=='$azure_cli'])" \
  "{\"appId\":\"$azure_cli\",\"delegatedPermissionIds\":[\"$scope_id\"]}" '{"api":{"preAuthorizedApplications":%s}}'

# 3. The roles: those that are missing are added, others are kept; the role to restore is taken from applications.
roles="$(show appRoles json)"
added=
for_applications="$(show "length(appRoles[?value=='CmkKey.Restore' && contains(allowedMemberTypes, 'Application')])")"
if [ -z "${CMK_RESTORE_APPLICATIONS:-}" ] && [ "$for_applications" != 0 ]; then
  roles="$(show "appRoles[?value!='CmkKey.Restore']" json)"
fi
for role in CmkKey.Read CmkKey.Revoke CmkKey.Restore Cmk.Operate; do
  case "$(printf '%s' "$roles" | tr -d ' \n')" in *"\"value\":\"$role\""*) continue ;; esac
  entry="{\"id\":\"$(role_id "$role")\",\"value\":\"$role\",\"displayName\":\"$role\",\"description\":\"$(role_text "$role")\",\"allowedMemberTypes\":$(role_members "$role"),\"isEnabled\":true}"
  roles="$(append "$roles" "$entry")"
  added="$added $role"
done
[ -z "$added" ] || patch "the roles$added" "{\"appRoles\":$roles}"

# 4. Its service principal: who has no role gets no token at all.
principal_id="$(az ad sp list --filter "appId eq '$client_id'" --query '[].id' -o tsv)"
if [ -z "$principal_id" ]; then
  principal_id="$(retry az ad sp create --id "$client_id" --query id -o tsv)"
  say 'entra: made its service principal'
fi
if [ "$(retry az ad sp show --id "$principal_id" --query appRoleAssignmentRequired -o tsv)" != true ]; then
  retry az rest --method PATCH --url "$graph/servicePrincipals/$principal_id" --headers Content-Type=application/json --body '{"appRoleAssignmentRequired":true}' -o none
  say 'entra: only those with a role get a token'
fi

# 5. A role for somebody, if asked.
give() { # give <object id> <role>
  id="$(role_id "$2")"
  # One page: a page holds 100 unless more are asked for.
  existing="$(az rest --method GET --url "$graph/servicePrincipals/$principal_id/appRoleAssignedTo?\$top=999" --query "length(value[?principalId=='$1' && appRoleId=='$id'])" -o tsv)"
  if [ "$existing" = 0 ]; then
    retry az rest --method POST --url "$graph/servicePrincipals/$principal_id/appRoleAssignedTo" --headers Content-Type=application/json --body "{\"principalId\":\"$1\",\"resourceId\":\"$principal_id\",\"appRoleId\":\"$id\"}" -o none
    say "entra: gave $2 to $1"
  else
    say "entra: $1 has $2 already"
  fi
}

# Calls Graph with the token of CMK_GRAPH_TOKEN, if there is one. It goes by a file: arguments are seen by every process.
pim_rest() { # pim_rest <arguments of az rest>
  if [ -n "$headers" ]; then
    set -- "$@" --skip-authorization-header --headers "@$headers"
  else
    set -- "$@" --headers Content-Type=application/json
  fi
  retry az rest "$@" || die 'entra: Graph refused that. It takes the permissions RoleManagementPolicy.ReadWrite.AzureADGroup, PrivilegedEligibilitySchedule.ReadWrite.AzureADGroup, RoleManagement.ReadWrite.Directory and Group.ReadWrite.All, and of a person the role Privileged Role Administrator. The sign-in of the Azure CLI lacks some of them: set CMK_GRAPH_TOKEN to a token that has them (Graph Explorer shows one), or sign in as a service principal that has them'
}

# Sets a rule of the memberships of a group. The id of its policy changes when the first rule is set, so it is read each time:
# https://learn.microsoft.com/graph/api/resources/privilegedidentitymanagement-for-groups-api-overview. Bodies of rules:
# https://learn.microsoft.com/graph/how-to-pim-update-rules.
rule() { # rule <group> <kind> <id> <members of JSON>
  policy="$(pim_rest --method GET --url "$graph/policies/roleManagementPolicyAssignments?\$filter=scopeId%20eq%20'$1'%20and%20scopeType%20eq%20'Group'%20and%20roleDefinitionId%20eq%20'member'" --query 'value[].policyId' -o tsv)"
  pim_rest --method PATCH --url "$graph/policies/roleManagementPolicies/$policy/rules/$3" -o none --body "{\"@odata.type\":\"#microsoft.graph.unifiedRoleManagementPolicy$2Rule\",\"id\":\"$3\",$4,\"target\":{\"@odata.type\":\"microsoft.graph.unifiedRoleManagementPolicyRuleTarget\",\"caller\":\"EndUser\",\"operations\":[\"All\"],\"level\":\"Assignment\",\"inheritableSettings\":[],\"enforcedSettings\":[]}}"
  say "entra: set the rule $3"
}

if [ "${1:-}" = --assign ]; then
  give "$2" "$3"
elif [ "${1:-}" = --pim ]; then
  role="$2" approvers="$3"
  shift 3
  if [ -n "${CMK_GRAPH_TOKEN:-}" ]; then
    headers="$(mktemp)"
    printf '{"Authorization":"Bearer %s","Content-Type":"application/json"}' "$CMK_GRAPH_TOKEN" >"$headers"
  fi
  title="$(printf '%s %s' "$name" "$role" | sed 's/\\/\\\\/g; s/"/\\"/g')"
  filter="$(printf '%s %s' "$name" "$role" | sed "s/'/''/g; s/%/%25/g; s/ /%20/g; s/&/%26/g; s/#/%23/g; s/+/%2B/g")"
  found="$(pim_rest --method GET --url "$graph/groups?\$filter=displayName%20eq%20'$filter'" --query 'value[].id' -o tsv)"
  case "$found" in
    '')
      # Members of a group that is not role-assignable can be changed by many roles of the directory. This cannot be set later.
      group="$(pim_rest --method POST --url "$graph/groups" --query id -o tsv --body "{\"displayName\":\"$title\",\"description\":\"Eligible members activate the app role $role of cmk-autopilot.\",\"mailEnabled\":false,\"mailNickname\":\"cmk-$(printf '%s' "$role-$principal_id" | tr 'A-Z.' 'a-z-')\",\"securityEnabled\":true,\"isAssignableToRole\":true}")"
      say "entra: made the group \"$name $role\" ($group)"
      ;;
    *)
      [ "$(printf '%s\n' "$found" | grep -c .)" -eq 1 ] || die "entra: several groups are called \"$name $role\": leave one"
      group="$found"
      # Anybody may make a group of that name, and an administrator alone one that is role-assignable.
      [ "$(pim_rest --method GET --url "$graph/groups/$group" --query isAssignableToRole -o tsv)" = true ] ||
        die "entra: the group \"$name $role\" ($group) is not role-assignable, so others than privileged administrators change its members: rename or delete it"
      say "entra: the group \"$name $role\" is there ($group)"
      ;;
  esac
  # The rules first: there is no moment in which the role is activated without approval.
  rule "$group" Approval Approval_EndUser_Assignment "\"setting\":{\"@odata.type\":\"microsoft.graph.approvalSettings\",\"isApprovalRequired\":true,\"isApprovalRequiredForExtension\":false,\"isRequestorJustificationRequired\":true,\"approvalMode\":\"SingleStage\",\"approvalStages\":[{\"@odata.type\":\"microsoft.graph.unifiedApprovalStage\",\"approvalStageTimeOutInDays\":1,\"isApproverJustificationRequired\":true,\"escalationTimeInMinutes\":0,\"primaryApprovers\":[{\"@odata.type\":\"#microsoft.graph.groupMembers\",\"groupId\":\"$approvers\"}],\"isEscalationEnabled\":false,\"escalationApprovers\":[]}]}"
  rule "$group" Enablement Enablement_EndUser_Assignment '"enabledRules":["MultiFactorAuthentication","Justification","Ticketing"]'
  rule "$group" Expiration Expiration_EndUser_Assignment "\"isExpirationRequired\":true,\"maximumDuration\":\"PT${CMK_PIM_HOURS:-2}H\""
  for person in "$@"; do
    eligible="$(pim_rest --method GET --url "$graph/identityGovernance/privilegedAccess/group/eligibilitySchedules?\$filter=groupId%20eq%20'$group'%20and%20principalId%20eq%20'$person'" --query "length(value[?principalId=='$person'])" -o tsv)"
    if [ "$eligible" = 0 ]; then
      pim_rest --method POST --url "$graph/identityGovernance/privilegedAccess/group/eligibilityScheduleRequests" -o none --body "{\"accessId\":\"member\",\"action\":\"adminAssign\",\"principalId\":\"$person\",\"groupId\":\"$group\",\"justification\":\"infra/entra.sh --pim\",\"scheduleInfo\":{\"startDateTime\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\",\"expiration\":{\"type\":\"afterDuration\",\"duration\":\"P365D\"}}}"
      say "entra: made $person eligible for $role, for a year"
    else
      say "entra: $person is eligible for $role already"
    fi
  done
  give "$group" "$role"
  id="$(role_id "$role")"
  direct="$(az rest --method GET --url "$graph/servicePrincipals/$principal_id/appRoleAssignedTo?\$top=999" --query "value[?appRoleId=='$id' && principalId!='$group'].principalId" -o tsv)"
  [ -z "$direct" ] || say "entra: these have $role without approval too: $(printf '%s' "$direct" | tr '\n' ' ')"
# Or where the page's sign-in comes back to. The app's address, or that of its API: both are told by a deployment.
elif [ "${1:-}" = --page ]; then
  back="${2%/}"
  back="${back%/api}/page/signed-in.html"
  there="$(show "contains(spa.redirectUris || \`[]\`, '$back')")"
  [ "$there" != true ] || say "entra: the page signs in by $back already"
  add "the page's sign-in, back to $back" spa.redirectUris "contains(spa.redirectUris || \`[]\`, '$back')" "\"$back\"" '{"spa":{"redirectUris":%s}}'
fi

# 6. No owner, if asked. An owner of the registration, or of its service principal, can grant all four roles to themselves.
owners_of() { az rest --method GET --url "$graph/$1/owners?\$select=id" --query 'value[].id' -o tsv; }
drop() { # drop <collection/id> <what>
  owners="$(owners_of "$1")" || die "entra: the owners of the $2 cannot be listed"
  # Oneself last: what is left to write needs the right of an owner.
  for owner in $(printf '%s\n' "$owners" | grep -vxF "$me") $(printf '%s\n' "$owners" | grep -xF "$me"); do
    az rest --method DELETE --url "$graph/$1/owners/$owner/\$ref" -o none ||
      die "entra: the owner $owner of the $2 could not be taken away. That takes another owner, or Application Administrator: have one run: CMK_API_CLIENT_ID=$client_id sh infra/entra.sh --drop-owner"
    say "entra: $owner owns the $2 no more"
  done
}
if [ "${1:-}" = --drop-owner ] || { [ "${1:-}" = --page ] && [ "${CMK_PROFILE:-}" = bank ]; }; then
  # What is still to be written is written first: afterwards it takes a role of the directory.
  if [ "$(show "length(spa.redirectUris[?ends_with(@, '/page/signed-in.html')] || \`[]\`)")" = 0 ] && [ "${CMK_PAGE_SIGN_IN:-}" != off ]; then
    die 'entra: no owner was taken away: the sign-in of the page is still to be written. First: sh infra/entra.sh --page https://<host of the app>, or CMK_PAGE_SIGN_IN=off for an app without its page'
  fi
  me="$(az ad signed-in-user show --query id -o tsv 2>/dev/null || true)"
  drop "servicePrincipals/$principal_id" 'service principal'
  drop "applications/$object_id" 'registration'
  say 'entra: the registration has no owner. To assign roles (--assign), to change the registration (a new version may ask for it), and for another address of the page (--page), it takes Application Administrator or Cloud Application Administrator from now on. cmk doctor tells of owners that come back.'
fi

# 7. Where azd finds it, if it is by azd that this is deployed.
if command -v azd >/dev/null 2>&1 && [ -n "${AZURE_ENV_NAME:-}" ] &&
  azd --no-prompt env get-value AZURE_ENV_NAME -e "$AZURE_ENV_NAME" >/dev/null 2>&1; then
  azd --no-prompt env set CMK_API_CLIENT_ID "$client_id" -e "$AZURE_ENV_NAME"
fi
say "entra: tenant $tenant, CMK_API_CLIENT_ID=$client_id"
