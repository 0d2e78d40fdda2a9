/** Sizes of RSA keys that Storage takes (Azure Storage, "Customer-managed keys overview"). */
export const STORAGE_KEY_SIZES: readonly number[] = [2048, 3072, 4096];

/** Whether Storage takes keys of this kind; undefined: the size, on which it depends, is not told. */
export function isStorageKind({ type, size }: { readonly type: string; readonly size: number | undefined }) {
  if (!/^RSA(-HSM)?$/i.test(type)) return false;
  return size === undefined ? undefined : STORAGE_KEY_SIZES.includes(size);
}
