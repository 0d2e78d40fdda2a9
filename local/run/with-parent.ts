/**
 * Loaded before a child's own module (`node --import`): ends the child when its parent ends. The channel closes even if
 * the parent was killed with SIGKILL.
 */
process.once('disconnect', () => process.exit(0));
// The channel alone must not keep an idle child alive.
process.channel?.unref();
