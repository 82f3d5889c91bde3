/** For clients of Redis: whether a connection is replaced because of what it answers. ioredis takes it as an option. */

/**
 * It leads to a server that has become a replica, while its address may lead to the new primary by now. Or its Redis has no database of the
 * number that was asked for: the client would go on in database 0, which may be another deployment's.
 */
export const reconnectOnError = ({ message }: Error): boolean => /\bREADONLY\b|DB index is out of range/.test(message);
