/* Eight threads hand a token round with a mutex and condition variables; each checks its thread-local counter and its id. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { THREADS = 8 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static long turn;
static __thread long rounds;

static void *run(void *argument) {
  long self = (long)argument;
  pid_t id = gettid();
  for (;; rounds++) {
    pthread_mutex_lock(&lock);
    while (turn % THREADS != self) pthread_cond_wait(&turned, &lock);
    if (turn / THREADS != rounds || gettid() != id) printf("BAD thread %ld: turn %ld, round %ld, id %d\n", self, turn, rounds, gettid());
    turn++;
    if (self == 0) { printf("round %ld\n", rounds); fflush(stdout); usleep(3000); }
    pthread_cond_broadcast(&turned);
    pthread_mutex_unlock(&lock);
  }
}

int main(void) {
  pthread_t thread;
  for (long n = 1; n < THREADS; n++) pthread_create(&thread, 0, run, (void *)n);
  run(0);
}
