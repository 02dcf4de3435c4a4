/* what: the whole address space: every mapping at its address with its protection, offset and path */
/* spoil: map_anonymous(3 * PAGE, PROT_READ) */
#include "../feature.h"

/* The kernel's own pages ([vvar], [vdso] ...) may be cut differently by another kernel. */
static void layout(char *out, size_t room) {
  char line[1024];
  size_t used = 0;
  FILE *maps = fopen("/proc/self/maps", "re");
  check(maps != NULL, "/proc/self/maps to open, seen %s", strerror(errno));
  while (fgets(line, sizeof line, maps)) {
    if (strstr(line, "[v")) continue;
    used += snprintf(out + used, room - used, "%s", line);
  }
  fclose(maps);
}

int main(void) {
  static char before[64 * KIB], after[64 * KIB];
  free(malloc(1));
  layout(after, sizeof after);
  layout(before, sizeof before);
  ready();
  layout(after, sizeof after);
  size_t same = 0;
  while (before[same] && before[same] == after[same]) same++;
  while (same && before[same - 1] != '\n') same--;
  check(strcmp(before, after) == 0, "mapping %.120s, seen %.120s", before + same, after + same);
  pass();
}
