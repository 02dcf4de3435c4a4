/* what: madvise flags as smaps shows them: random, sequential, dontdump, hugepage, nohugepage */
/* spoil: madvise(memory, 4 * PAGE, MADV_NORMAL) */
#include "../feature.h"

/* The VmFlags line of the mapping at this address. */
static void flags_of(const char *address, char out[256]) {
  char line[512];
  bool inside = false;
  out[0] = 0;
  FILE *smaps = fopen("/proc/self/smaps", "re");
  check(smaps != NULL, "/proc/self/smaps to open, seen %s", strerror(errno));
  while (fgets(line, sizeof line, smaps)) {
    char *end;
    unsigned long from = strtoul(line, &end, 16);
    if (*end == '-') inside = (const char *)from <= address && (const char *)strtoul(end + 1, NULL, 16) > address;
    if (inside && strncmp(line, "VmFlags:", 8) == 0) snprintf(out, 256, "%.255s", line);
  }
  fclose(smaps);
}

int main(void) {
  static const int advice[] = {MADV_RANDOM, MADV_SEQUENTIAL, MADV_DONTDUMP, MADV_HUGEPAGE, MADV_NOHUGEPAGE};
  static const char *const flag[] = {" rr", " sr", " dd", " hg", " nh"};
  char *memory = map_anonymous(20 * PAGE, PROT_READ | PROT_WRITE), before[5][256], after[256];
  for (int i = 0; i < 5; i++) {
    if (madvise(memory + 4 * i * PAGE, 4 * PAGE, advice[i]) != 0) check(i >= 3 && errno == EINVAL, "madvise %s to work, seen %s", flag[i], strerror(errno));
    flags_of(memory + 4 * i * PAGE, before[i]);
    check(i >= 3 || strstr(before[i], flag[i]), "flag%s before the move, seen %s", flag[i], before[i]);
  }
  fill(memory, 20 * PAGE, 29);
  ready();
  for (int i = 0; i < 5; i++) {
    flags_of(memory + 4 * i * PAGE, after);
    check(strcmp(before[i], after) == 0, "%s, seen %s", before[i], after);
  }
  verify("memory with flags", memory, 20 * PAGE, 29);
  pass();
}
