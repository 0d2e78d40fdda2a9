import { ARM_ADDRESS, HSM_PATH, PATH_OF_KEY, SOUNDS_LIKE_USE } from './hsm-log-entry.ts';
import type { ManagedKey } from './managed-vaults.ts';
import { SILENT_HOURS } from './usage-log.ts';

/** Key Vault's names of what is done with key material (Key Vault, "logging", operation names). */
const OPERATIONS = ['KeyWrap', 'KeyUnwrap', 'KeyEncrypt', 'KeyDecrypt', 'KeySign', 'KeyVerify'];
/** How many silences are told. */
const MOST_SILENCES = 100;
/** What a vault's and a key's name are made of, as Key Vault has it: nothing that means something in a query. */
const NAME = /^[0-9A-Za-z-]{1,127}$/;

/**
 * The query for one key. The log comes in two forms: `AzureDiagnostics`, whose columns are there only once something was
 * written to them, and `AZKVAuditLogs`. A table that is not there counts as empty.
 *
 * @throws TypeError for a name that Key Vault would not take
 */
export function usageQuery({ vault, name }: ManagedKey): string {
  if (!NAME.test(vault.name) || !NAME.test(name)) throw new TypeError('This is no name of a vault or a key.');
  const type = vault.kind === 'vault' ? 'vaults' : 'managedhsms';
  return `let vault = "/providers/microsoft.keyvault/${type}/${vault.name.toLowerCase()}";
let key = "${name.toLowerCase()}";
let entries = union isfuzzy=true
  (AzureDiagnostics
  | where Category == "AuditEvent" and _ResourceId endswith vault
  | project TimeGenerated, OperationName, Id = tostring(column_ifexists("id_s", "")), Uri = tostring(column_ifexists("requestUri_s", "")),
    ObjectId = coalesce(tostring(column_ifexists("identity_claim_oid_g", "")), tostring(column_ifexists("identity_claim_http_schemas_microsoft_com_identity_claims_objectidentifier_g", ""))),
    AppId = tostring(column_ifexists("identity_claim_appid_g", ""))),
  (AZKVAuditLogs
  | where _ResourceId endswith vault
  | extend Claim = parse_json(tostring(Identity)).claim
  | project TimeGenerated, OperationName, Id = tostring(Id), Uri = tostring(RequestUri),
    ObjectId = coalesce(tostring(Claim.oid), tostring(Claim["http://schemas.microsoft.com/identity/claims/objectidentifier"]), tostring(Claim.http_schemas_microsoft_com_identity.claims.objectidentifier)),
    AppId = tostring(Claim.appid));
union
${vault.kind === 'vault' ? VAULT_USES : HSM_USES},
  (entries
  | summarize Since = min(TimeGenerated), Until = max(TimeGenerated)
  | where isnotnull(Since)
  | project Kind = "log", Version = "", OperationName = "", Since, Until, ObjectId = "", AppId = "", Path = ""),
  (entries
  | summarize by Hour = bin(TimeGenerated, 1h)
  | order by Hour asc
  | extend Since = prev(Hour)
  | where Hour - Since > ${SILENT_HOURS}h
  | top ${MOST_SILENCES} by Hour desc
  | project Kind = "silence", Version = "", OperationName = "", Since, Until = Hour, ObjectId = "", AppId = "", Path = "")`;
}

/** A vault's entry names the operation, and the key and its version in the identifier or in the address. */
const IDENTIFIER = '@"/keys/([^/?]+)(?:/([0-9a-f]{32}))?"';
const VAULT_USES = `  (entries
  | where OperationName in (${OPERATIONS.map((one) => `"${one}"`).join(', ')})
  | extend Id = tolower(Id), Uri = tolower(Uri)
  | where coalesce(extract(${IDENTIFIER}, 1, Id), extract(${IDENTIFIER}, 1, Uri)) == key
  | extend Version = coalesce(extract(${IDENTIFIER}, 2, Id), extract(${IDENTIFIER}, 2, Uri))
  | summarize arg_max(TimeGenerated, ObjectId, AppId) by Version, OperationName
  | project Kind = "use", Version, OperationName, Since = TimeGenerated, Until = TimeGenerated, ObjectId, AppId, Path = "")`;

/**
 * Of a Managed HSM every entry is given that is not known to be about something else: what is about this key, and what cannot
 * be told apart. What each was is decided by `askedOfHsmKey`.
 */
const HSM_USES = `  (entries
  | extend Uri = tolower(Uri), Sounds = tolower(OperationName) matches regex "${SOUNDS_LIKE_USE}"
  | where Sounds or not(Uri matches regex @"${ARM_ADDRESS}")
  | extend Path = extract(@"${HSM_PATH}", 1, Uri)
  | extend Owner = extract(@"${PATH_OF_KEY}", 1, Path)
  | where isempty(Path) or Owner == key or (isempty(Owner) and Sounds)
  | summarize arg_max(TimeGenerated, ObjectId, AppId) by Path, OperationName
  | project Kind = "use", Version = "", OperationName, Since = TimeGenerated, Until = TimeGenerated, ObjectId, AppId, Path)`;
