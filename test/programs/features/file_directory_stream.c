/* what: a directory stream in the middle: the rest comes, nothing twice and nothing missing */
/* spoil: rewinddir(stream) */
#include "../feature.h"
#include <dirent.h>

static int seen[60];

static int take(DIR *stream) {
  struct dirent *entry = readdir(stream);
  if (entry == NULL) return 0;
  if (entry->d_name[0] == 'f') seen[atoi(entry->d_name + 1)]++;
  return 1;
}

int main(void) {
  char *directory = scratch("directory"), path[300];
  must(mkdir(directory, 0700));
  for (int i = 0; i < 60; i++) {
    snprintf(path, sizeof path, "%s/f%d", directory, i);
    write_text(path, "");
  }
  DIR *stream = opendir(directory);
  check(stream != NULL, "the directory to open, seen %s", strerror(errno));
  for (int i = 0; i < 25; i++) take(stream);
  /* What the C library has read ahead would hide the kernel's place: start again from there. */
  seekdir(stream, telldir(stream));
  ready();
  while (take(stream)) {}
  for (int i = 0; i < 60; i++) {
    snprintf(path, sizeof path, "%s/f%d", directory, i);
    unlink(path);
  }
  for (int i = 0; i < 60; i++) equal("times that a file was listed", seen[i], 1);
  pass();
}
