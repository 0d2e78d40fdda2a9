import { RESOURCE_GROUP } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors/errors.ts';

/** Sources: Azure, "Naming rules and restrictions for Azure resources"; Key Vault, "About keys, secrets and certificates". */
const RULES = {
  vault: {
    what: 'key vault',
    pattern: /^(?!.*--)[a-z][a-z0-9-]{1,22}[a-z0-9]$/i,
    says: 'has 3 to 24 letters, digits and single hyphens, starts with a letter and ends with a letter or digit',
  },
  key: { what: 'key', pattern: /^[0-9A-Za-z-]{1,127}$/, says: 'has 1 to 127 letters, digits and dashes' },
  identity: {
    what: 'user-assigned identity',
    pattern: /^[0-9A-Za-z][-\w]{2,127}$/,
    says: 'has 3 to 128 letters, digits, hyphens and underscores, and starts with a letter or digit',
  },
  account: {
    what: 'storage account',
    pattern: /^[a-z0-9]{3,24}$/,
    says: 'has 3 to 24 lower-case letters and digits',
  },
  scope: {
    what: 'storage encryption scope',
    pattern: /^(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/,
    says: 'has 3 to 63 lower-case letters, digits and single hyphens, and starts and ends with a letter or digit',
  },
  resourceGroup: {
    what: 'resource group',
    pattern: RESOURCE_GROUP,
    says: 'has 1 to 90 letters, digits, underscores, hyphens, parentheses and periods, and does not end with a period',
  },
  version: { what: 'key version', pattern: /^[0-9A-Za-z]{32}$/, says: 'has 32 letters and digits' },
};

/**
 * Checks a name before the first call to Azure.
 *
 * @throws {@link CmkError} `ArgumentInvalid` with the rule
 */
export function checkName(kind: keyof typeof RULES, name: string): void {
  const { what, pattern, says } = RULES[kind];
  if (pattern.test(name)) return;
  throw new CmkError('ArgumentInvalid', `"${name}" is not a name of a ${what}.`, `A ${what} name ${says}.`);
}
