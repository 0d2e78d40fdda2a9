/** When an account had no encryption scope on the old key (ISO 8601), or refused to tell. */
export type RekeyList = { readonly on: string; readonly refused?: boolean };

/** What an order notes of accounts on its way. What is lost of it is listed, or sent to, once more. Errors are the SDK's. */
export interface RekeyMarks {
  /** By ARM id in lower case, as it is noted: with an empty time what was noted before does not count any more. */
  listed(id: string): Promise<ReadonlyMap<string, RekeyList>>;
  noteListed(id: string, accounts: ReadonlyMap<string, RekeyList>): Promise<void>;
  /** Accounts that were sent and are not done with: ARM id in lower case, and the step that sent them last. */
  sent(id: string): Promise<ReadonlyMap<string, number>>;
  /** @param accounts ARM ids */
  noteSent(id: string, accounts: readonly string[], tick: number): Promise<void>;
  /** An account, by its ARM id, is done with; without effect on one that was not sent. */
  noteSeen(id: string, account: string): Promise<void>;
}
