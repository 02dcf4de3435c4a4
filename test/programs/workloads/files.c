/* files [COUNT=200] [DIRECTORY=KRG_SCRATCH]: that many open files, each with an offset and flags of its own; round after round it appends
   to every file and checks offset, flags and contents. Prints "round N". */
#include "../workload.h"

int main(int argc, char **argv) {
  long count = number_argument(argc, argv, 1, 200), round = 0;
  const char *directory = argc > 2 ? argv[2] : getenv("KRG_SCRATCH") ? getenv("KRG_SCRATCH") : "/tmp";
  char path[300], line[64];
  struct file {
    int fd;
    off_t size;
  } *files = calloc(count, sizeof *files);
  prepare_stop();
  struct rlimit limit;
  must(getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = limit.rlim_max;
  must(setrlimit(RLIMIT_NOFILE, &limit));
  for (long i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/files.%d.%ld", directory, getpid(), i);
    files[i].fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC | (i % 3 == 0 ? O_APPEND : 0) | (i % 5 == 0 ? O_CLOEXEC : 0), 0600));
  }
  dprintf(1, "ready\n");
  while (!stopped()) {
    for (long i = 0; i < count; i++) {
      char seen[64];
      int length = snprintf(line, sizeof line, "file %ld round %ld\n", i, round);
      equal("offset", lseek(files[i].fd, 0, SEEK_CUR), files[i].size);
      equal("O_APPEND", !!(must(fcntl(files[i].fd, F_GETFL)) & O_APPEND), i % 3 == 0);
      equal("FD_CLOEXEC", must(fcntl(files[i].fd, F_GETFD)), i % 5 == 0 ? FD_CLOEXEC : 0);
      equal("bytes written", write(files[i].fd, line, length), length);
      equal("bytes read back", pread(files[i].fd, seen, sizeof seen, files[i].size), length);
      check(memcmp(seen, line, length) == 0, "%.*s, seen %.*s", length, line, length, seen);
      files[i].size += length;
    }
    dprintf(1, "round %ld\n", ++round);
    nap_milliseconds(20);
  }
  for (long i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/files.%d.%ld", directory, getpid(), i);
    must(unlink(path));
  }
  pass_with("%ld rounds over %ld files", round, count);
}
