/* what: MADV_MERGEABLE, as smaps shows it */
/* spoil: madvise(memory, 16 * PAGE, MADV_UNMERGEABLE) */
#include "../feature.h"

static bool mergeable(const char *address) {
  char line[512];
  bool inside = false, found = false;
  FILE *smaps = fopen("/proc/self/smaps", "re");
  check(smaps != NULL, "/proc/self/smaps to open, seen %s", strerror(errno));
  while (fgets(line, sizeof line, smaps)) {
    char *end;
    unsigned long from = strtoul(line, &end, 16);
    if (*end == '-') inside = (const char *)from <= address && (const char *)strtoul(end + 1, NULL, 16) > address;
    if (inside && strncmp(line, "VmFlags:", 8) == 0) found = strstr(line, " mg") != NULL;
  }
  fclose(smaps);
  return found;
}

int main(void) {
  char *memory = map_anonymous(16 * PAGE, PROT_READ | PROT_WRITE);
  fill(memory, 16 * PAGE, 30);
  if (madvise(memory, 16 * PAGE, MADV_MERGEABLE) != 0) skip("this kernel has no page merging");
  check(mergeable(memory), "flag mg before the move, seen none");
  ready();
  check(mergeable(memory), "flag mg, seen none");
  verify("mergeable memory", memory, 16 * PAGE, 30);
  pass();
}
