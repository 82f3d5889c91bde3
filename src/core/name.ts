/** What a name in code may be: of a job type, a queue, a schedule, a subject, a field, an action. Nothing in it separates it from what stands beside it. */
export const NAME = /^[\w.:-]{1,100}$/;
