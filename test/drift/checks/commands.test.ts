import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createShellCommand, NO_COMMAND, WHY_NO_COMMAND } from '../../../src/azure/shell-command.ts';
import type { Found } from '../../../src/drift/checks/check.ts';
import * as commands from '../../../src/drift/checks/commands.ts';
import { evaluate } from '../../../src/drift/checks/evaluate.ts';
import {
  listRequiredSubscriptions,
  listRequiredWatches,
  type WantedSubscription,
} from '../../../src/events/subscription.ts';
import { grantAccess } from '../../../src/identities/grant-access.ts';
import { createManagedKey } from '../../../src/keys/managed-vaults.ts';
import { formatLetStorageIn, formatProtectVault, recoverVault } from '../../../src/vaults/vault-commands.ts';
import { FUNCTION_APP, KEY, key, rules, VAULT } from './subjects.ts';

const HSM = { ...VAULT, kind: 'managedHsm', name: 'hsm-local' } as const;
const wantedSubscription = (storageAccountId: string | undefined): WantedSubscription => {
  const [first] = listRequiredSubscriptions({ functionAppId: FUNCTION_APP, storageAccountId });
  if (!first) throw new Error('The app wants no event.');
  return first;
};
const wantedWatch = (clientId: string | undefined): WantedSubscription => {
  const [first] = listRequiredWatches({ functionAppId: FUNCTION_APP }, clientId);
  if (!first) throw new Error('The app wants no event.');
  return first;
};
const HSM_KEY = createManagedKey(HSM, 'files-key');
const OF_HSM = `--hsm-name hsm-local --resource-group rg-keys --subscription ${VAULT.subscriptionId}`;

describe('a command to be copied into a shell', () => {
  it('A command to be copied into a shell has each value as one word, whatever characters it has', () => {
    const values = fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { minLength: 40, maxLength: 60 });
    fc.assert(
      fc.property(values, (given) => {
        const safe = given.filter((value) => createShellCommand('c', [['', value]]) !== NO_COMMAND);
        const line = createShellCommand(
          'printf %s\\\\0',
          safe.map((value) => ['', value] as const),
        );
        if (safe.length > 0) {
          expect(execFileSync('/bin/sh', ['-c', String(line)]).toString()).toBe(`${safe.join('\0')}\0`);
        }
      }),
      { numRuns: 25 },
    );
  });

  it.each([
    ['$(reboot)', "c --name '$(reboot)'"],
    ['`reboot`; $HOME #', "c --name '`reboot`; $HOME #'"],
    ['/subscriptions/1/x', 'c --name /subscriptions/1/x'],
    ['rg (Größe)', "c --name 'rg (Größe)'"],
    ['~', "c --name '~'"],
  ])('A command to be copied into a shell quotes %s', (value, line) => {
    expect(createShellCommand('c', [['--name', value]])).toBe(line);
  });

  it.each(['', '--role', '-x', '@/etc/passwd', 'a\nb', 'a\rb', '\u001b[A', 'a\u202eb', 'a\u200bb', '\u2028'])(
    'A command to be copied into a shell is not printed if a value would be taken for something else: %j',
    (value) => {
      expect(createShellCommand('c', [['--name', value]])).toBe(NO_COMMAND);
    },
  );

  it.each(["it's", 'a\u2018;calc', 'a\u2019;calc', 'a\u201a;calc', 'a\u201b;calc'])(
    'A command to be copied into a shell is not printed if a value has what ends a word in PowerShell: %j',
    (value) => {
      expect(createShellCommand('c', [['--name', value]])).toBe(NO_COMMAND);
    },
  );

  it.each(['a&calc', 'a|calc', 'a" --yes "b', '%PATH%', 'a^b', 'a>b', 'a<b', 'a!b'])(
    'A command to be copied into a shell is not printed if a value has what cmd.exe acts upon, by which PowerShell runs az: %j',
    (value) => {
      expect(createShellCommand('c', [['--name', value]])).toBe(NO_COMMAND);
    },
  );

  it('A command that must not be printed is left out of a finding, which says why', () => {
    const find = (): Found[] => [{ is: 'It is off.', shouldBe: 'It is on.', command: NO_COMMAND }];
    const check = { reason: 'KeyDisabled', severity: 'error', ensures: 'It is on.', fix: 'Enable it.', find } as const;
    const [finding] = evaluate([check], undefined, 'resource', rules());
    expect(finding).toMatchObject({ fix: `Enable it. ${WHY_NO_COMMAND}` });
    expect(finding).not.toHaveProperty('command');
  });
});

describe('the command that fixes a finding', () => {
  it.each([
    [
      grantAccess('p-1', VAULT, 'rbac'),
      `az role assignment create --assignee-object-id p-1 --assignee-principal-type ServicePrincipal --role 'Key Vault Crypto Service Encryption User' --scope ${VAULT.id}`,
    ],
    [grantAccess('p-1', VAULT, 'accessPolicies'), `cmk admin grant-role --assignee p-1 --vault ${VAULT.id}`],
    [grantAccess(undefined, VAULT, 'rbac'), undefined],
    [commands.formatRotate(key({ key: HSM_KEY })), `cmk key rotate ${HSM_KEY.id}`],
    [
      commands.formatRotate(key({ key: HSM_KEY, policy: { value: { rotates: false } } })),
      `cmk key ensure ${HSM_KEY.id} --version-lifetime P730D && cmk key rotate ${HSM_KEY.id}`,
    ],
    [
      commands.deliverEvents(VAULT, wantedSubscription(undefined)),
      `cmk admin ensure-events --vault ${VAULT.id} --function-app ${FUNCTION_APP}`,
    ],
    [
      commands.watchChanges(VAULT.subscriptionId, wantedWatch(undefined)),
      `cmk admin watch-changes ${VAULT.subscriptionId} --function-app ${FUNCTION_APP}`,
    ],
    [
      commands.watchChanges(VAULT.subscriptionId, wantedWatch('app')),
      `cmk admin watch-changes ${VAULT.subscriptionId} --function-app ${FUNCTION_APP} --client-id app`,
    ],
    [
      commands.formatRecoverKey({ ...KEY, vault: HSM }),
      'az keyvault key recover --hsm-name hsm-local --name files-key',
    ],
    [recoverVault(HSM), `az keyvault recover ${OF_HSM}`],
    [formatProtectVault(HSM), `az keyvault update-hsm --enable-purge-protection true ${OF_HSM}`],
    [formatLetStorageIn(HSM), `az keyvault update-hsm --bypass AzureServices ${OF_HSM}`],
  ])('The command that fixes a finding is exact: %s', (command, expected) => {
    expect(command).toBe(expected);
  });
});
