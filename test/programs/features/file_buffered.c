/* what: what the C library holds back of a stream, and what it has read ahead */
/* spoil: fputs("more", out) */
#include "../feature.h"

int main(void) {
  char *path = scratch("out"), *source = scratch("in"), line[32];
  write_text(source, "first line\nsecond line\nthird line\n");
  FILE *out = fopen(path, "w"), *in = fopen(source, "r");
  fputs("held back", out);
  check(fgets(line, sizeof line, in) && strcmp(line, "first line\n") == 0, "the first line, seen %s", line);
  ready();
  check(strcmp(read_text(path), "") == 0, "nothing in the file yet, seen %s", read_text(path));
  fclose(out);
  check(strcmp(read_text(path), "held back") == 0, "held back, seen %s", read_text(path));
  check(fgets(line, sizeof line, in) && strcmp(line, "second line\n") == 0, "the second line, seen %s", line);
  pass();
}
