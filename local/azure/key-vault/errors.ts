import { azureError } from '../service.ts';

/** A refusal of Key Vault's data plane: status, code, message, and the inner code of a 403. */
export class KeyVaultError extends Error {
  readonly status: number;
  readonly code: string;
  readonly innerCode: string | undefined;
  readonly headers: Record<string, string>;

  constructor(status: number, code: string, message: string, innerCode?: string, headers: Record<string, string> = {}) {
    super(message);
    this.name = 'KeyVaultError';
    this.status = status;
    this.code = code;
    this.innerCode = innerCode;
    this.headers = headers;
  }

  body(): Record<string, unknown> {
    return azureError(this.code, this.message, this.innerCode);
  }
}

export function badParameter(message: string): KeyVaultError {
  return new KeyVaultError(400, 'BadParameter', message);
}

export function keyNotFound(nameAndVersion: string): KeyVaultError {
  return new KeyVaultError(
    404,
    'KeyNotFound',
    `A key with (name/id) ${nameAndVersion} was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
  );
}

export function deletedKeyNotFound(name: string): KeyVaultError {
  return new KeyVaultError(404, 'KeyNotFound', `Deleted Key not found: ${name}`);
}

export function forbidden(message: string, innerCode: string): KeyVaultError {
  return new KeyVaultError(403, 'Forbidden', message, innerCode);
}

export function conflict(message: string, innerCode?: string): KeyVaultError {
  return new KeyVaultError(409, 'Conflict', message, innerCode);
}
