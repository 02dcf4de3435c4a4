/* what: protection keys of pages and the key rights of a thread */
/* needs: refusable */
/* spoil: pkey_set(key, 0) */
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
  int key = pkey_alloc(0, PKEY_DISABLE_WRITE);
  if (key < 0) skip("no protection keys: %s", strerror(errno));
  char *memory = map_anonymous(PAGE, PROT_READ | PROT_WRITE);
  memory[0] = 'k';
  must(pkey_mprotect(memory, PAGE, PROT_READ | PROT_WRITE, key));
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  must(sigaction(SIGSEGV, &action, NULL));
  ready();
  equal("byte under the key", memory[0], 'k');
  if (sigsetjmp(back, 1) == 0) {
    *(volatile char *)memory = 'x';
    fail("SIGSEGV on a write against the key, seen it work");
  }
  equal("si_code", seen_code, SEGV_PKUERR);
  pass();
}
