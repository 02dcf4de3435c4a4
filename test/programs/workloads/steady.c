/* Notices any disturbance of its registers, its signal mask or its system calls; says BAD and what, else "round N" now and then. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long alarms;
static void on_alarm(int signal) { (void)signal; alarms++; }

static void say(const char *what, long value) {
  printf("BAD %s %ld\n", what, value);
  fflush(stdout);
}

/* General and vector registers, and flags, all alive across the loop. */
static void *compute(void *unused) {
  (void)unused;
  uint64_t expected = 0;
  double expected_sum = 0;
  for (long block = 0;; block++) {
    uint64_t a = 88172645463325252u, b = 1, c = 2, d = 3, e = 4, f = 5;
    double sum = 0, product = 1, third = 0.5;
    for (long n = 0; n < 200000; n++) {
      a ^= a << 13; a ^= a >> 7; a ^= a << 17;
      b += a; c ^= b; d += c >> 3; e ^= d << 1; f += e;
      sum += (double)(a & 1023); product = product * 1.0000001; third = third * 0.999 + sum * 1e-9;
    }
    uint64_t result = a ^ b ^ c ^ d ^ e ^ f;
    double total = sum + product + third;
    if (block == 0) { expected = result; expected_sum = total; }
    if (result != expected) say("integers", block);
    if (total != expected_sum) say("doubles", block);
  }
  return 0;
}

/* Calls that a stop could make fail; signals are blocked here. */
static void *call(void *unused) {
  (void)unused;
  sigset_t all, now;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, 0);
  pthread_sigmask(SIG_BLOCK, 0, &now);
  int epoll = epoll_create1(0);
  for (long round = 0;; round++) {
    struct timespec pause = {0, 700000};
    struct epoll_event event;
    if (nanosleep(&pause, 0) != 0) say("nanosleep", errno);
    /* A stop alone ends it with EINTR (signal(7)); who dies between the stop and its mending leaves that. */
    if (epoll_wait(epoll, &event, 1, 1) != 0 && errno != EINTR) say("epoll_wait", errno);
    if (poll(0, 0, 1) != 0) say("poll", errno);
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, 0, &mask);
    if (memcmp(&mask, &now, 8) != 0) say("mask", round);
    if (round % 20 == 0) { printf("round %ld\n", round); fflush(stdout); }
  }
  return 0;
}

int main(void) {
  pthread_t threads[2];
  pthread_create(&threads[0], 0, compute, 0);
  pthread_create(&threads[1], 0, call, 0);
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, 0);
  struct itimerval timer = {{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &timer, 0);
  sigset_t none, mask;
  sigemptyset(&none);
  for (long last = 0, round = 0;; round++) {
    struct timespec start, end, pause = {0, 20000000};
    clock_gettime(CLOCK_MONOTONIC, &start);
    do clock_gettime(CLOCK_MONOTONIC, &end);
    while ((end.tv_sec - start.tv_sec) * 1000000000 + end.tv_nsec - start.tv_nsec < pause.tv_nsec);
    if (alarms == last) usleep(500000);
    if (alarms == last) say("no alarm", round);
    last = alarms;
    pthread_sigmask(SIG_BLOCK, 0, &mask);
    if (memcmp(&mask, &none, 8) != 0) say("mask of main", round);
  }
}
