import { getLastName } from '../azure/resource-id.ts';
import { createShellCommand, joinCommands, renderCommandOr, WHY_NO_COMMAND } from '../azure/shell-command.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { findKeyUserType } from './key-user-types.ts';

/** How an operator moves a resource that `cmk` does not write: the commands of `az`, and what to do besides. */
export function describeByHand(
  { id, type }: { readonly id: string; readonly type: string },
  newest: Pick<KeyVersion, 'id' | 'version'>,
): string {
  const entry = findKeyUserType(type);
  const [, , subscription = '', , group = ''] = id.split('/');
  const { vaultUri = '', keyName = '' } = parseKeyIdentifier(newest.id) ?? {};
  const values: Readonly<Record<string, string>> = {
    id,
    name: getLastName(id),
    group,
    subscription,
    vault: vaultUri,
    key: keyName,
    version: newest.version,
    identifier: newest.id,
  };
  const fill = (text: string): string => text.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '');

  const commands = (entry?.byHand ?? []).map(([command, ...options]) =>
    createShellCommand(
      command,
      options.map(([option, value]) => [option, fill(value)] as const),
    ),
  );
  const all = commands.length > 0 ? [renderCommandOr(commands.reduce(joinCommands), WHY_NO_COMMAND)] : [];
  const text = [...all, entry?.byHandNote ?? []].flat();

  return text.length > 0
    ? text.join('\n')
    : 'Ask its service how to move it to the newest version: cmk knows no command.';
}
