/** Container of the audit trail in the app's own storage. */
export const AUDIT_CONTAINER = 'cmk-audit';

interface AuditFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** False: the blob is not an append blob, so another writer replaced it. */
  readonly appendable: boolean;
}

/** What became of an append. `unknown`: no answer came, it may or may not have taken effect. */
export type AppendResult =
  | { readonly result: 'appended'; readonly blocks: number }
  /** The file does not end at the given position. */
  | { readonly result: 'moved' }
  /** The file, or its container, is not there. */
  | { readonly result: 'absent' }
  /** The file takes no more blocks, or never did. */
  | { readonly result: 'full' }
  | { readonly result: 'unknown'; readonly error: unknown };

export interface AuditFiles {
  /** Every file, in any order; none if the container is not there yet. */
  list(): Promise<readonly AuditFile[]>;
  /** Makes an empty file, and the container, where there is none. */
  create(name: string): Promise<void>;
  /** Appends one block if the file is exactly `position` bytes long. */
  append(name: string, position: number, bytes: Uint8Array): Promise<AppendResult>;
  /** Bytes `from` (inclusive) to `to` (exclusive, absent: all that there is); undefined if the file has no byte there. */
  read(name: string, from: number, to?: number): Promise<AuditSlice | undefined>;
  /** A file from its beginning; nothing of one that is not there. */
  stream(name: string): AsyncIterable<Uint8Array>;
}

export interface AuditSlice {
  readonly bytes: Buffer;
  /** Bytes of the whole file. */
  readonly size: number;
  readonly blocks: number;
}
