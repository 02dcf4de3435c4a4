/* what: read-only pages keep their contents and refuse writes */
/* spoil: mprotect(memory, 4 * PAGE, PROT_READ | PROT_WRITE) */
#include "../feature.h"
#include <setjmp.h>

static sigjmp_buf back;
static volatile int seen_code;

static void on_fault(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  seen_code = info->si_code;
  siglongjmp(back, 1);
}

int main(void) {
  char *memory = map_anonymous(4 * PAGE, PROT_READ | PROT_WRITE);
  fill(memory, 4 * PAGE, 15);
  must(mprotect(memory, 4 * PAGE, PROT_READ));
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  must(sigaction(SIGSEGV, &action, NULL));
  ready();
  verify("read-only memory", memory, 4 * PAGE, 15);
  if (sigsetjmp(back, 1) == 0) {
    *(volatile char *)(memory + PAGE) = 1;
    fail("SIGSEGV on a write to read-only memory, seen it work");
  }
  equal("si_code", seen_code, SEGV_ACCERR);
  verify("read-only memory after the fault", memory, 4 * PAGE, 15);
  pass();
}
