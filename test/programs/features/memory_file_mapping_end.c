/* what: mapping that reaches beyond the end of its file: SIGBUS there, and not before */
/* spoil: ftruncate(fd, 4 * PAGE) */
#include "../feature.h"
#include <setjmp.h>

static sigjmp_buf back;
static volatile int seen_code;
static void *volatile seen_address;

static void on_bus(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  seen_code = info->si_code;
  seen_address = info->si_addr;
  siglongjmp(back, 1);
}

int main(void) {
  int fd = must(open(scratch("file"), O_RDWR | O_CREAT | O_TRUNC, 0600));
  must(ftruncate(fd, PAGE + 100));
  volatile char *memory = must(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  memory[PAGE + 99] = 'x';
  struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
  must(sigaction(SIGBUS, &action, NULL));
  ready();
  equal("last byte of the file", memory[PAGE + 99], 'x');
  if (sigsetjmp(back, 1) == 0) {
    char beyond = memory[2 * PAGE + 5];
    fail("SIGBUS beyond the end of the file, seen byte %d", beyond);
  }
  equal("si_code", seen_code, BUS_ADRERR);
  equal("si_addr", seen_address, memory + 2 * PAGE + 5);
  pass();
}
