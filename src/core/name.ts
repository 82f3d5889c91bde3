/** A name that code gives to a job type, a queue, a schedule, a subject, a field or an action. It holds no space and no semicolon. */
export const NAME = /^[\w.:-]{1,100}$/;
