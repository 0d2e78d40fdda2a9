import type { ContainerClient } from '@azure/storage-blob';
import { MANAGED_MEMORY, type ManagedMemory } from '../managed-accounts.ts';
import { downloadText, uploadText } from './blobs-client.ts';

const BLOB = 'managed-accounts.json';

/** Which accounts used a managed key in earlier checks. */
export interface AccountMemoryStore {
  managedAccounts(): Promise<ManagedMemory>;
  /** Of two checks at once the last one counts: what each writes was true a moment ago. */
  rememberAccounts(memory: ManagedMemory): Promise<void>;
}

export function accountMemoryStore(container: ContainerClient): AccountMemoryStore {
  return {
    async managedAccounts() {
      const text = await downloadText(container, BLOB);
      return text === undefined ? {} : MANAGED_MEMORY.parse(JSON.parse(text));
    },
    rememberAccounts: (memory) => uploadText(container, BLOB, JSON.stringify(memory), {}),
  };
}
