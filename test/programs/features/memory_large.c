/* what: 48 MiB of private memory written in an irregular pattern of pages */
/* spoil: memory[(9 * PAGE) + 1] ^= 1 */
#include "../feature.h"

int main(void) {
  size_t pages = 48 * MIB / PAGE;
  char *memory = map_anonymous(pages * PAGE, PROT_READ | PROT_WRITE);
  uint64_t state = 19;
  bool *written = calloc(pages, 1);
  for (size_t page = 0; page < pages; page++) {
    written[page] = page == 9 || next_random(&state) % 3 != 0;
    if (written[page]) fill(memory + page * PAGE, PAGE, page);
  }
  ready();
  static const char zero[PAGE];
  for (size_t page = 0; page < pages; page++)
    if (written[page])
      verify("written page", memory + page * PAGE, PAGE, page);
    else
      check(memcmp(memory + page * PAGE, zero, PAGE) == 0, "page %zu never written to be zero, seen other bytes", page);
  pass();
}
