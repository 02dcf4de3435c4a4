/* what: the time-stamp counter forbidden (PR_SET_TSC): reading it ends in SIGSEGV */
/* needs: refusable */
/* spoil: prctl(PR_SET_TSC, PR_TSC_ENABLE) */
#include "../feature.h"
#include <setjmp.h>
#include <sys/prctl.h>

static sigjmp_buf back;
static void on_fault(int number) { (void)number, siglongjmp(back, 1); }

int main(void) {
  int mode = 0;
  signal(SIGSEGV, on_fault);
  if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) != 0) skip("PR_SET_TSC: %s", strerror(errno));
  say_ready();
  /* The vDSO reads the counter: naps alone. */
  wait_go();
  SPOIL;
  must(prctl(PR_GET_TSC, &mode, 0, 0, 0));
  equal("mode of the time-stamp counter", mode, PR_TSC_SIGSEGV);
  if (sigsetjmp(back, 1) == 0) {
    __builtin_ia32_rdtsc();
    fail("SIGSEGV, seen the counter");
  }
  pass();
}
