import { listKeySettingTypes, listReadActions } from '../../src/key-users/key-user-types.ts';

/** Azure RBAC actions that read the key users (a role has them), and operations that change their keys (watched). */
export const KEY_USERS = 'infra/key-users.json';

/** The text of that file, made of the table of key users. */
export function renderKeyUsers(): string {
  const actions = {
    read: listReadActions(),
    write: listKeySettingTypes().map((type) => `${type}/write`),
  };
  return `${JSON.stringify(actions, null, 2)}\n`;
}
