import { createContext } from 'preact';
import type { Session } from './session.ts';

/** For the few places that ask the user to sign in again. */
export const SessionContext = createContext<Session | undefined>(undefined);
