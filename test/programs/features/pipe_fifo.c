/* what: a FIFO with both ends open and data in it; its name still leads to it */
/* spoil: read(reader, text, 2) */
#include "../feature.h"

int main(void) {
  char *path = scratch("fifo"), text[32] = {0};
  must(mkfifo(path, 0600));
  int reader = must(open(path, O_RDONLY | O_NONBLOCK)), writer = must(open(path, O_WRONLY));
  must(write(writer, "one ", 4));
  ready();
  int other = must(open(path, O_WRONLY | O_NONBLOCK));
  must(write(other, "two ", 4));
  must(write(writer, "three", 5));
  equal("bytes read", read(reader, text, 31), 13);
  check(strcmp(text, "one two three") == 0, "one two three, seen %s", text);
  pass();
}
