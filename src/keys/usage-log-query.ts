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
  return `let vault = "/providers/microsoft.keyvault/vaults/${vault.name.toLowerCase()}";
let key = "${name.toLowerCase()}";
let identifier = @"/keys/([^/?]+)(?:/([0-9a-f]{32}))?";
let entries = union isfuzzy=true
  (AzureDiagnostics
  | where Category == "AuditEvent" and _ResourceId endswith vault
  | project TimeGenerated, OperationName, Id = tostring(column_ifexists("id_s", "")), Uri = tostring(column_ifexists("requestUri_s", "")),
    ObjectId = coalesce(tostring(column_ifexists("identity_claim_oid_g", "")), tostring(column_ifexists("identity_claim_http_schemas_microsoft_com_identity_claims_objectidentifier_g", ""))),
    AppId = tostring(column_ifexists("identity_claim_appid_g", ""))),
  (AZKVAuditLogs
  | where _ResourceId endswith vault
  | project TimeGenerated, OperationName, Id = tostring(Id), Uri = tostring(RequestUri),
    ObjectId = coalesce(tostring(Identity.claim.oid), tostring(Identity.claim["http://schemas.microsoft.com/identity/claims/objectidentifier"])),
    AppId = tostring(Identity.claim.appid));
union
  (entries
  | where OperationName in (${OPERATIONS.map((one) => `"${one}"`).join(', ')})
  | extend Id = tolower(Id), Uri = tolower(Uri)
  | where coalesce(extract(identifier, 1, Id), extract(identifier, 1, Uri)) == key
  | extend Version = coalesce(extract(identifier, 2, Id), extract(identifier, 2, Uri))
  | summarize arg_max(TimeGenerated, ObjectId, AppId) by Version, OperationName
  | project Kind = "use", Version, OperationName, Since = TimeGenerated, Until = TimeGenerated, ObjectId, AppId),
  (entries
  | summarize Since = min(TimeGenerated), Until = max(TimeGenerated)
  | where isnotnull(Since)
  | project Kind = "log", Version = "", OperationName = "", Since, Until, ObjectId = "", AppId = ""),
  (entries
  | summarize by Hour = bin(TimeGenerated, 1h)
  | order by Hour asc
  | extend Since = prev(Hour)
  | where Hour - Since > ${SILENT_HOURS}h
  | top ${MOST_SILENCES} by Hour desc
  | project Kind = "silence", Version = "", OperationName = "", Since, Until = Hour, ObjectId = "", AppId = "")`;
}
