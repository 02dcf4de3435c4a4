/* what: two descriptors of one file opened separately keep separate offsets */
/* spoil: dup2(first, second) */
#include "../feature.h"

int main(void) {
  char *path = scratch("file"), byte;
  int first = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600)), second = must(open(path, O_RDONLY));
  must(write(first, "0123456789", 10));
  must(lseek(first, 7, SEEK_SET));
  must(lseek(second, 1, SEEK_SET));
  ready();
  must(read(second, &byte, 1));
  equal("byte at the second offset", byte, '1');
  must(read(first, &byte, 1));
  equal("byte at the first offset", byte, '7');
  must(write(first, "X", 1));
  must(lseek(second, 8, SEEK_SET));
  must(read(second, &byte, 1));
  equal("byte written through the other", byte, 'X');
  pass();
}
