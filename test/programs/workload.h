/*
 * Shared by the workloads: programs that work for as long as a test or a benchmark needs, and check themselves all the time.
 * They end with the line "pass ..." and 0, or "FAIL: ..." and 1, on SIGTERM or when the file named by KRG_STOP exists.
 */
#pragma once
#include "feature.h"

static _Atomic int stop_requested;

static inline void request_stop(int number) {
  (void)number;
  stop_requested = 1;
}

static inline void prepare_stop(void) {
  struct sigaction action = {.sa_handler = request_stop, .sa_flags = SA_RESTART};
  must(sigaction(SIGTERM, &action, NULL));
}

static inline bool stopped(void) {
  const char *path = getenv("KRG_STOP");
  struct stat status;
  if (!stop_requested && path != NULL && stat(path, &status) == 0) stop_requested = 1;
  return stop_requested;
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void pass_with(const char *format, ...) {
  va_list values;
  va_start(values, format);
  say("pass ", format, values);
  leave(0);
  __builtin_unreachable();
}

/* The number given as argument `index`, or the default. */
static inline long number_argument(int argc, char **argv, int index, long otherwise) {
  if (argc <= index) return otherwise;
  char *end;
  long value = strtol(argv[index], &end, 0);
  if (*end != 0 || end == argv[index]) fail("a number as argument %d, seen %s", index, argv[index]);
  return value;
}
