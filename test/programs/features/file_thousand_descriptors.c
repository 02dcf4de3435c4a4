/* what: 1,000 open descriptors of files with offsets of their own */
/* spoil: lseek(fds[500], 0, SEEK_SET) */
#include "../feature.h"

int main(void) {
  enum { COUNT = 1000 };
  static int fds[COUNT];
  struct rlimit limit;
  must(getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = limit.rlim_max;
  must(setrlimit(RLIMIT_NOFILE, &limit));
  if (limit.rlim_cur < COUNT + 20) skip("only %lu descriptors allowed", limit.rlim_cur);
  char *path = scratch("file");
  fds[0] = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  must(ftruncate(fds[0], COUNT));
  for (int i = 1; i < COUNT; i++) fds[i] = must(open(path, i % 2 ? O_RDONLY : O_RDWR));
  for (int i = 0; i < COUNT; i++) must(lseek(fds[i], i, SEEK_SET));
  ready();
  for (int i = 0; i < COUNT; i++) equal("offset", lseek(fds[i], 0, SEEK_CUR), i);
  for (int i = 0; i < COUNT; i += 2) must(write(fds[i], "x", 1));
  char data[COUNT];
  must(pread(fds[1], data, COUNT, 0));
  for (int i = 0; i < COUNT; i++) equal("byte written through its own descriptor", data[i], i % 2 ? 0 : 'x');
  pass();
}
