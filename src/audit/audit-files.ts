/** Container of the audit trail in the app's own storage. */
export const AUDIT_CONTAINER = 'cmk-audit';

interface AuditFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** False: the blob is not an append blob, because another writer replaced the blob. */
  readonly appendable: boolean;
}

/** Result of an append. `unknown`: no answer arrived, so the result is indeterminate. */
export type AppendResult =
  | { readonly result: 'appended'; readonly blocks: number }
  /** The file does not end at the given position. */
  | { readonly result: 'moved' }
  /** The file or its container does not exist. */
  | { readonly result: 'absent' }
  /** The file accepts no more blocks, or is no append blob. */
  | { readonly result: 'full' }
  | { readonly result: 'unknown'; readonly error: unknown };

export interface AuditFiles {
  /** Lists every file in any order; empty if the container does not exist. */
  list(): Promise<readonly AuditFile[]>;
  /** Creates an empty file and the container, if they do not exist. */
  create(name: string): Promise<void>;
  /** Appends a block if the file is exactly `position` bytes long. */
  append(name: string, position: number, bytes: Uint8Array): Promise<AppendResult>;
  /**
   * Reads bytes `from` (inclusive) to `to` (exclusive; absent: to the end); undefined if the file ends before `from`.
   */
  read(name: string, from: number, to?: number): Promise<AuditSlice | undefined>;
  /** Streams a file from its start; yields nothing if the file does not exist. */
  stream(name: string): AsyncIterable<Uint8Array>;
}

export interface AuditSlice {
  readonly bytes: Buffer;
  /** Size of the whole file, in bytes. */
  readonly size: number;
  readonly blocks: number;
}
