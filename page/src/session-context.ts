import { createContext } from 'preact';
import type { Session } from './session.ts';

/** For the few places that ask somebody to sign in again. */
export const SessionContext = createContext<Session | undefined>(undefined);
