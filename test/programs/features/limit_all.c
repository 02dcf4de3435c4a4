/* what: soft and hard limits of all sixteen resources */
/* spoil: setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) */
#include "../feature.h"

int main(void) {
  struct rlimit before[RLIM_NLIMITS], after;
  for (int i = 0; i < RLIM_NLIMITS; i++) {
    must(getrlimit(i, &before[i]));
    struct rlimit lower = before[i];
    if (i == RLIMIT_NICE || i == RLIMIT_RTPRIO) continue;
    /* Hard limits high enough to live with, and no two alike. */
    rlim_t hard = i == RLIMIT_NOFILE ? 500 : i == RLIMIT_CORE ? 4096 : i == RLIMIT_NPROC ? 20000 : (1UL << 40) + 4096 * i;
    if (hard < lower.rlim_max) lower.rlim_max = hard;
    rlim_t soft = i == RLIMIT_NOFILE ? 300 : i == RLIMIT_CORE ? 100 : lower.rlim_max - i;
    if (soft < lower.rlim_cur) lower.rlim_cur = soft;
    if (lower.rlim_cur > lower.rlim_max) lower.rlim_cur = lower.rlim_max;
    must(setrlimit(i, &lower));
    before[i] = lower;
  }
  ready();
  for (int i = 0; i < RLIM_NLIMITS; i++) {
    char what[32];
    must(getrlimit(i, &after));
    snprintf(what, sizeof what, "soft limit %d", i);
    equal(what, after.rlim_cur, before[i].rlim_cur);
    snprintf(what, sizeof what, "hard limit %d", i);
    equal(what, after.rlim_max, before[i].rlim_max);
  }
  pass();
}
