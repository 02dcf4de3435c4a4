/* what: /dev/urandom and /dev/random */
/* spoil: dup2(open("/dev/zero", O_RDONLY), fds[0]) */
#include "../feature.h"

int main(void) {
  unsigned char bytes[256];
  int fds[2] = {must(open("/dev/urandom", O_RDONLY)), must(open("/dev/random", O_RDONLY))};
  ready();
  for (int i = 0; i < 2; i++) {
    int different = 0;
    equal("bytes read", read(fds[i], bytes, sizeof bytes), sizeof bytes);
    for (int j = 1; j < 256; j++) different += bytes[j] != bytes[0];
    check(different > 200, "random bytes, seen %d that differ from the first", different);
  }
  pass();
}
