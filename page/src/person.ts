import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Person } from './session.ts';

export const PersonContext = createContext<Person>({ name: '', objectId: '', roles: [] });

export function usePerson(): Person {
  return useContext(PersonContext);
}

/** Whether a role is there: to say beforehand what the API would refuse. `Cmk.Operate` includes reading. */
export function has(person: Person, role: 'CmkKey.Read' | 'CmkKey.Revoke' | 'CmkKey.Restore' | 'Cmk.Operate'): boolean {
  return person.roles.includes(role) || (role === 'CmkKey.Read' && person.roles.includes('Cmk.Operate'));
}
