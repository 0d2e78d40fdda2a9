/** How something stands; each has a shape and a colour of its own. */
export type Tone = 'good' | 'warn' | 'bad' | 'info' | 'none';
