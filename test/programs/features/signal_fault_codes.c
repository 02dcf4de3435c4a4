/* what: faults after the move reach their handlers with the right code and address: SIGFPE, SIGILL, SIGSEGV, SIGTRAP */
/* spoil: signal(SIGFPE, SIG_DFL) */
#include "../feature.h"
#include <setjmp.h>

static sigjmp_buf back;
static volatile int seen_number, seen_code;
static void *volatile seen_address;

static void on_fault(int number, siginfo_t *info, void *context) {
  (void)context;
  seen_number = number;
  seen_code = info->si_code;
  seen_address = info->si_addr;
  siglongjmp(back, 1);
}

int main(void) {
  static const int numbers[] = {SIGFPE, SIGILL, SIGSEGV, SIGTRAP}, codes[] = {FPE_INTDIV, ILL_ILLOPN, SEGV_MAPERR, SI_KERNEL};
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  volatile int zero = 0;
  for (int i = 0; i < 4; i++) must(sigaction(numbers[i], &action, NULL));
  ready();
  for (volatile int i = 0; i < 4; i++) {
    if (sigsetjmp(back, 1) == 0) switch (i) {
        case 0: zero = 100 / zero; break;
        case 1: __asm__ volatile("ud2"); break;
        case 2: *(volatile char *)0x10 = 1; break;
        case 3: __asm__ volatile("int3"); break;
      }
    equal("signal", seen_number, numbers[i]);
    equal("si_code", seen_code, codes[i]);
    if (i == 2) equal("si_addr", seen_address, 0x10);
  }
  pass();
}
