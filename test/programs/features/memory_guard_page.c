/* what: PROT_NONE guard pages fault with SIGSEGV and the right address; memory under them is kept */
/* spoil: mprotect(memory, 3 * PAGE, PROT_READ | PROT_WRITE) */
#include "../feature.h"
#include <setjmp.h>

static sigjmp_buf back;
static void *volatile seen_address;
static volatile int seen_code;

static void on_fault(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  seen_address = info->si_addr;
  seen_code = info->si_code;
  siglongjmp(back, 1);
}

int main(void) {
  char *memory = map_anonymous(3 * PAGE, PROT_READ | PROT_WRITE);
  fill(memory, 3 * PAGE, 14);
  must(mprotect(memory + PAGE, PAGE, PROT_NONE));
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  must(sigaction(SIGSEGV, &action, NULL));
  ready();
  if (sigsetjmp(back, 1) == 0) {
    char byte = *(volatile char *)(memory + PAGE + 77);
    fail("SIGSEGV at the guard page, seen byte %d", byte);
  }
  equal("si_addr", seen_address, memory + PAGE + 77);
  equal("si_code", seen_code, SEGV_ACCERR);
  must(mprotect(memory + PAGE, PAGE, PROT_READ));
  verify("memory around and under the guard", memory, 3 * PAGE, 14);
  pass();
}
