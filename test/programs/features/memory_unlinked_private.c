/* what: MAP_PRIVATE mapping of a file that was unlinked, as of a library that was replaced */
/* spoil: relocated[PAGE] ^= 1 */
#include "../feature.h"

int main(void) {
  size_t size = 200 * PAGE;
  char *path = scratch("library"), *data = map_anonymous(size, PROT_READ | PROT_WRITE);
  int fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0755));
  fill(data, size, 93);
  write_fully(fd, data, size);
  must(close(fd));
  fd = must(open(path, O_RDONLY));
  char *memory = must(mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0));
  char *relocated = must(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 8 * PAGE));
  must(close(fd));
  must(unlink(path));
  write_text(path, "a new one");
  fill(relocated + PAGE, PAGE, 94);
  ready();
  verify("mapping of the old file", memory, size, 93);
  check(memcmp(relocated, memory + 8 * PAGE, PAGE) == 0, "a clean page as in the old file, seen another");
  verify("written page", relocated + PAGE, PAGE, 94);
  check(strcmp(read_text(path), "a new one") == 0, "the new file untouched, seen changes");
  pass();
}
