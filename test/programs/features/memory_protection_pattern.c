/* what: 64 neighbouring pages with alternating protections, as /proc/self/maps shows them */
/* spoil: mprotect(memory + 7 * PAGE, PAGE, PROT_READ) */
#include "../feature.h"

static const int patterns[] = {PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC};

/* Lines of /proc/self/maps that lie in the range. */
static char *lines_of(const char *memory, size_t size) {
  char *text = read_text("/proc/self/maps"), *out = calloc(1, 64 * KIB), *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    char *from = (char *)strtoul(line, NULL, 16);
    if (from >= memory && from < memory + size) strcat(strcat(out, line), "\n");
  }
  free(text);
  return out;
}

int main(void) {
  size_t size = 66 * PAGE;
  char *memory = map_anonymous(size, PROT_NONE);
  for (int page = 1; page < 65; page++) must(mprotect(memory + page * PAGE, PAGE, patterns[page % 5]));
  for (int page = 5; page < 65; page += 5) fill(memory + page * PAGE, PAGE, page);
  char *before = lines_of(memory, size);
  ready();
  char *after = lines_of(memory, size);
  check(strcmp(before, after) == 0, "these mappings:\n%.400s..., seen:\n%.400s", before, after);
  for (int page = 5; page < 65; page += 5) verify("writable page", memory + page * PAGE, PAGE, page);
  pass();
}
