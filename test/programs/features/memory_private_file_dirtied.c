/* what: MAP_PRIVATE file mapping with some pages written: those differ from the file, the others follow it */
/* spoil: mmap(memory, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) */
#include "../feature.h"

int main(void) {
  size_t size = 64 * PAGE;
  int fd = must(open(scratch("file"), O_RDWR | O_CREAT | O_TRUNC, 0600));
  must(ftruncate(fd, size));
  char *memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  for (size_t page = 0; page < 64; page += 3) fill(memory + page * PAGE, PAGE, 100 + page);
  ready();
  for (size_t page = 0; page < 64; page += 3) verify("written page", memory + page * PAGE, PAGE, 100 + page);
  char zero[PAGE] = {0}, in_file[PAGE];
  for (size_t page = 1; page < 64; page += 3) check(memcmp(memory + page * PAGE, zero, PAGE) == 0, "page %zu as in the file, seen other bytes", page);
  equal("bytes of page 0 in the file", pread(fd, in_file, PAGE, 0), PAGE);
  check(memcmp(in_file, zero, PAGE) == 0, "the file untouched by private writes, seen changes");
  pass();
}
