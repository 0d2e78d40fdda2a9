import { known } from '../../azure/read-or-why.ts';
import { parseResourceId } from '../../azure/resource-id.ts';
import { inSequence, type ShellCommand, type ShellOption, shellCommand } from '../../azure/shell-command.ts';
import type { OtherDependent } from '../../dependents/dependent.ts';
import {
  activeFrom,
  findVersion,
  isKnownOlder,
  type KeyVersion,
  newestUsableVersion,
} from '../../keys/key-versions.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { openRevocation } from '../../revocation/revocation.ts';
import { DAY_MS } from '../../time/spans.ts';
import type { Found } from './check.ts';
import { PREVIOUS_KEYS } from './expiry.ts';
import type { KeySubject, Rules } from './subjects.ts';

/**
 * Services that follow a key by themselves look once an hour or once a day, and name the version that they have come to:
 * what is behind for longer is held at its version, or stuck. Milliseconds.
 */
const FOLLOW_MS = DAY_MS;

/** A resource of another service that names an older version. The app moves storage accounts alone. */
export function otherResourceStale({ key, versions, others }: KeySubject, { now }: Rules): readonly Found[] {
  const read = known(versions) ?? [];
  const target = newestUsableVersion(read, now);
  if (!target || !others || openRevocation(read, now)) return [];
  if (now.getTime() - activeFrom(target).getTime() <= FOLLOW_MS) return [];
  return others.flatMap((other) => {
    const behind = other.uses.find(({ path, version }) => !PREVIOUS_KEYS.test(path) && isOlder(version, target, read));
    if (!other.known || !behind) return [];
    return [
      {
        resource: other.id,
        is: `It names version ${behind.version} of ${key.id} (${behind.path}), more than 24 hours after a newer one became usable.`,
        shouldBe: `It is on the newest usable version ${target.version}: the older one can be neither retired nor let expire.`,
        command: moveOther(other, key, target),
      },
    ];
  });
}

function isOlder(version: string | undefined, target: KeyVersion, versions: readonly KeyVersion[]): boolean {
  const named = version === undefined ? undefined : findVersion(versions, version);
  return named !== undefined && isKnownOlder(named, target);
}

/** What moves it, where one command does; the options are those of Azure CLI 2.74. */
function moveOther(
  { id, type }: OtherDependent,
  key: ManagedKey,
  { id: version }: KeyVersion,
): ShellCommand | undefined {
  const resource = parseResourceId(id);
  if (!resource) return undefined;
  const place = [
    ['--resource-group', resource.resourceGroup],
    ['--subscription', resource.subscriptionId],
  ] as const;
  switch (type.toLowerCase()) {
    case 'microsoft.compute/diskencryptionsets':
      return shellCommand('az disk-encryption-set update', [
        ['--ids', id],
        ['--key-url', version],
        ['--source-vault', key.vault.id],
      ]);
    case 'microsoft.sql/servers':
      return sqlProtector('az sql server', [['--kid', version], ['--server', resource.name], ...place]);
    case 'microsoft.sql/managedinstances':
      return sqlProtector('az sql mi', [['--kid', version], ['--managed-instance', resource.name], ...place]);
    case 'microsoft.containerregistry/registries':
      return shellCommand('az acr encryption rotate-key', [
        ['--name', resource.name],
        ['--key-encryption-key', version],
        ...place,
      ]);
    case 'microsoft.storage/storageaccounts':
      return shellCommand('cmk account pin', [['', id]]);
    default:
      return undefined;
  }
}

/** A server has to know a version before that can be its protector. */
function sqlProtector(server: string, values: readonly ShellOption[]): ShellCommand {
  const make = shellCommand(`${server} key create`, values);
  const use = shellCommand(`${server} tde-key set --server-key-type AzureKeyVault`, values);
  return inSequence(make, use);
}
