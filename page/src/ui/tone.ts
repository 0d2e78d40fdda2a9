/** The tone of a state, with its own shape and colour. */
export type Tone = 'good' | 'warn' | 'bad' | 'info' | 'none';
