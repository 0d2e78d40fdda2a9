/** A refusal of the file service. */
export class FileServiceError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Record<string, string>;

  constructor(status: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.name = 'FileServiceError';
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** The refusals of an account whose key cannot be used (Storage, "Common REST API error codes"). */
export const keyRefusals = {
  keyNotFound: ['KeyVaultEncryptionKeyNotFound', 'The key vault key is not found to unwrap the encryption key.'],
  vaultNotFound: ['KeyVaultVaultNotFound', 'The key vault is not found for encryption.'],
  noAccess: ['KeyVaultAccessTokenCannotBeAcquired', 'Cannot acquire access token for the key vault.'],
} as const;

export function keyRefusal(reason: keyof typeof keyRefusals): FileServiceError {
  const [code, message] = keyRefusals[reason];
  return new FileServiceError(403, code, message);
}
