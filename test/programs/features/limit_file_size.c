/* what: RLIMIT_FSIZE is in force after the move: SIGXFSZ and EFBIG */
/* spoil: setrlimit(RLIMIT_FSIZE, &(struct rlimit){20000, 100000}) */
#include "../feature.h"

static volatile int count;
static void on_signal(int number) { (void)number, count++; }

int main(void) {
  char data[100] = {0};
  signal(SIGXFSZ, on_signal);
  int fd = must(open(scratch("file"), O_RDWR | O_CREAT | O_TRUNC, 0600));
  must(setrlimit(RLIMIT_FSIZE, &(struct rlimit){10000, 100000}));
  ready();
  equal("bytes written up to the limit", pwrite(fd, data, 100, 9950), 50);
  refused(pwrite(fd, data, 100, 10000), EFBIG);
  equal("SIGXFSZs", count, 1);
  pass();
}
