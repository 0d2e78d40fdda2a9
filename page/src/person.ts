import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { AuditRecordView } from './api/types.ts';
import type { Person } from './session.ts';

export const PersonContext = createContext<Person>({ name: '', objectId: '', roles: [] });

export function usePerson(): Person {
  return useContext(PersonContext);
}

/** Whether the user has a role, to explain in advance what the API would refuse. `Cmk.Operate` includes reading. */
export function has(person: Person, role: 'CmkKey.Read' | 'CmkKey.Revoke' | 'CmkKey.Restore' | 'Cmk.Operate'): boolean {
  return person.roles.includes(role) || (role === 'CmkKey.Read' && person.roles.includes('Cmk.Operate'));
}

/** Names by object id, in lower case. */
export type Names = ReadonlyMap<string, string>;

/** The names of people in audit records that the page has read. */
export function namesIn(records: readonly AuditRecordView[]): Names {
  const callers = records.flatMap(({ entry }) => entry.caller ?? []);
  return new Map(callers.flatMap(({ objectId, name }) => (name ? [[objectId.toLowerCase(), name] as const] : [])));
}
