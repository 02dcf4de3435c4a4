/* what: descriptor numbers with holes between them; the lowest free one is taken next */
/* spoil: close(700) */
#include "../feature.h"

int main(void) {
  int fd = must(open("/dev/null", O_RDWR));
  struct rlimit limit;
  must(getrlimit(RLIMIT_NOFILE, &limit));
  if (limit.rlim_cur < 800) skip("only %lu descriptors allowed", limit.rlim_cur);
  must(dup2(fd, 700));
  must(dup2(fd, 63));
  must(dup2(fd, 64));
  must(dup2(fd, fd + 5));
  bool before[800];
  for (int i = 0; i < 800; i++) before[i] = fcntl(i, F_GETFD) >= 0;
  ready();
  for (int i = 0; i < 800; i++) check((fcntl(i, F_GETFD) >= 0) == before[i], "descriptor %d %s, seen the opposite", i, before[i] ? "open" : "closed");
  equal("next descriptor", dup(fd), fd + 1);
  pass();
}
