/* what: a mapped memfd whose descriptor was closed, with holes and a name */
/* spoil: memory[9 * PAGE] ^= 1 */
#include "../feature.h"

int main(void) {
  size_t size = 16 * PAGE;
  int fd = must(memfd_create("closed", MFD_CLOEXEC));
  must(ftruncate(fd, size));
  char *memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)), zero[PAGE] = {0}, *end;
  must(close(fd));
  fill(memory, PAGE, 80);
  fill(memory + 9 * PAGE, 2 * PAGE, 81);
  ready();
  verify("first page", memory, PAGE, 80);
  verify("pages behind a hole", memory + 9 * PAGE, 2 * PAGE, 81);
  for (size_t page = 1; page < 9; page++) check(memcmp(memory + page * PAGE, zero, PAGE) == 0, "a hole at page %zu, seen data", page);
  char *maps = read_text("/proc/self/maps"), place[20];
  snprintf(place, sizeof place, "%lx-", (unsigned long)memory);
  char *line = strstr(maps, place);
  check(line && (end = strchr(line, '\n')) && (*end = 0, strstr(line, " rw-s ")) && strstr(line, "/memfd:closed (deleted)"),
        "a shared mapping of /memfd:closed, seen %s", line ? line : "none");
  char *again = must(mremap(memory, 0, size, MREMAP_MAYMOVE));
  fill(again, PAGE, 82);
  verify("first page, written through a second view", memory, PAGE, 82);
  pass();
}
