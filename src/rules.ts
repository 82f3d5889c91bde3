/** Every rule of the code, and every subject that rules can be about. */
import { auditRules, auditSealSubject, auditSubject } from "./modules/audit/policy.ts";
import { authRules, sessionSubject } from "./modules/auth/policy.ts";
import { healthRules, healthSubject } from "./modules/health/policy.ts";
import { jobRules, jobSubject, queueSubject } from "./modules/jobs/policy.ts";
import { policyGuard, policyRuleSubject } from "./modules/policy/policy.ts";
import { scheduleRules, scheduleSubject } from "./modules/schedules/policy.ts";
import { userGuard, userRules, userSubject } from "./modules/users/policy.ts";
import { caslAbilities } from "./policy/casl.ts";
import type { Subjects } from "./policy/subjects.ts";

/** Later ones decide over earlier ones; between the two stand the rules that administrators have stored. */
export const abilities = caslAbilities(
  {
    users: userRules,
    auth: authRules,
    health: healthRules,
    jobs: jobRules,
    schedules: scheduleRules,
    audit: auditRules,
  },
  { users: userGuard, policy: policyGuard },
);

export const subjects: Subjects = {
  User: userSubject,
  Session: sessionSubject,
  AuditEntry: auditSubject,
  AuditSeal: auditSealSubject,
  Job: jobSubject,
  Queue: queueSubject,
  Schedule: scheduleSubject,
  PolicyRule: policyRuleSubject,
  Health: healthSubject,
};
