/**
 * Loaded before a child's own module (`node --import`): ends the child when its parent is gone, however it went. The
 * channel closes even when the parent was killed with SIGKILL and could tell nobody.
 */
process.once('disconnect', () => process.exit(0));
// The channel alone must not keep a child alive that has nothing left to do.
process.channel?.unref();
