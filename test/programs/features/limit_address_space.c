/* what: RLIMIT_AS is in force after the move, and was none for the move itself */
/* spoil: setrlimit(RLIMIT_AS, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}) */
#include "../feature.h"

int main(void) {
  unsigned long pages;
  char *text = read_text("/proc/self/statm");
  pages = strtoul(text, NULL, 10);
  must(setrlimit(RLIMIT_AS, &(struct rlimit){pages * PAGE + 4 * MIB, RLIM_INFINITY}));
  ready();
  void *small = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(small != MAP_FAILED, "1 MiB more, seen %s", strerror(errno));
  refused((intptr_t)mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
  pass();
}
