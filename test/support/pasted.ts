import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { outsider } from '../drift/outsider.ts';

/** The words that a shell makes of a command that is pasted into it, the command's own name left out. */
export function wordsOf(command: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'cmk-pasted-'));
  try {
    for (const name of ['az', 'cmk']) {
      writeFileSync(join(folder, name), '#!/bin/sh\nprintf "%s\\0" "$@"\n', { mode: 0o755 });
    }
    const out = execFileSync('/bin/sh', ['-c', command], { env: { PATH: folder }, encoding: 'utf8' });
    return out.split('\0').slice(0, -1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Does what `az role assignment create` does with a pasted command, by the plain SDK and the same calls. */
export async function pasteRoleAssignment(command: string, them: ReturnType<typeof outsider>): Promise<void> {
  const words = wordsOf(command);
  if (words.slice(0, 3).join(' ') !== 'role assignment create') throw new Error(`It is another command: ${command}`);

  const option = (name: string) => optionOf(words, name);
  const scope = option('--scope').slice(1);
  const filter = `roleName eq '${option('--role')}'`;
  for await (const { id: roleDefinitionId = '' } of them.roles.roleDefinitions.list(scope, { filter })) {
    const principalId = option('--assignee-object-id');
    const principalType = option('--assignee-principal-type');
    await them.roles.roleAssignments.create(scope, randomUUID(), { roleDefinitionId, principalId, principalType });

    return;
  }

  throw new Error(`There is no role ${option('--role')}.`);
}

/** Likewise what `az keyvault role assignment create` does, in a Managed HSM. */
export async function pasteLocalRole(command: string, them: ReturnType<typeof outsider>): Promise<void> {
  const words = wordsOf(command);
  if (words.slice(0, 4).join(' ') !== 'keyvault role assignment create') throw new Error(`It is another: ${command}`);

  const option = (name: string) => optionOf(words, name);
  const hsm = option('--hsm-name');
  const shown = await them.hsm(hsm, 'GET', '///providers/Microsoft.Authorization/roleDefinitions');
  const roles = shown.value as { id: string; properties: { roleName: string } }[];
  const role = roles.find(({ properties }) => properties.roleName === option('--role'));
  if (!role) throw new Error(`There is no role ${option('--role')}.`);

  const properties = { roleDefinitionId: role.id, principalId: option('--assignee-object-id') };
  const path = `/${option('--scope')}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`;

  await them.hsm(hsm, 'PUT', path, { properties });
}

function optionOf(words: readonly string[], name: string): string {
  const at = words.indexOf(name);
  const value = at < 0 ? undefined : words[at + 1];
  if (value === undefined) throw new Error(`${name} is missing in ${words.join(' ')}`);
  return value;
}
