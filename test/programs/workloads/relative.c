/* A member of a family that does what it is told and writes down what it sees of its relatives.
 * relative DIRECTORY NAME: obeys the lines of DIRECTORY/NAME.do, writes to DIRECTORY/NAME.log, and keeps no file open. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[256], name[64], log_path[400];
static int waits = 1;

static void say(const char *format, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  line[length++] = '\n';
  int saved = errno, file = open(log_path, O_WRONLY | O_APPEND | O_CREAT, 0666);
  if (write(file, line, length) != length) abort();
  close(file);
  errno = saved;
}

static void on_child(int number, siginfo_t *information, void *context) {
  (void)number, (void)context;
  say("child %d code %d status %d uid %d", information->si_pid, information->si_code, information->si_status, information->si_uid);
}

static void on_signal(int number, siginfo_t *information, void *context) {
  (void)context;
  if (information->si_code == SI_QUEUE) say("signal %d queued %d by %d", number, information->si_value.sival_int, information->si_pid);
  else say("signal %d code %d by %d", number, information->si_code, information->si_pid);
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *)) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigfillset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

static void become(const char *own_name) {
  snprintf(name, sizeof name, "%s", own_name);
  snprintf(log_path, sizeof log_path, "%s/%s.log", directory, name);
}

static void collect(void) {
  for (int status; waits;) {
    pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED);
    if (pid <= 0) return;
    say("wait %d %x", pid, status);
  }
}

static void obey(char *line) {
  char word[32] = "", text[64] = "";
  long one = 0, two = 0, three = 0;
  sscanf(line, "%31s", word);
  int numbers = sscanf(line, "%*s %ld %ld %ld", &one, &two, &three);
  if (strcmp(word, "fork") == 0) {
    sscanf(line, "%*s %63s", text);
    pid_t pid = fork();
    if (pid == 0) {
      become(text);
      say("born");
    } else {
      say("forked %s %d", text, pid);
    }
  } else if (strcmp(word, "exit") == 0) {
    _exit(one);
  } else if (strcmp(word, "kill") == 0) {
    say("kill %d", kill(one, two) == 0 ? 0 : errno);
  } else if (strcmp(word, "queue") == 0) {
    say("queue %d", sigqueue(one, two, (union sigval){.sival_int = three}) == 0 ? 0 : errno);
  } else if (strcmp(word, "setsid") == 0) {
    say("setsid %d", setsid() == getpid() ? 0 : errno);
  } else if (strcmp(word, "setpgid") == 0) {
    say("setpgid %d", setpgid(one, two) == 0 ? 0 : errno);
  } else if (strcmp(word, "death-signal") == 0) {
    say("death-signal %d", prctl(PR_SET_PDEATHSIG, one, 0, 0, 0));
  } else if (strcmp(word, "subreaper") == 0) {
    say("subreaper %d", prctl(PR_SET_CHILD_SUBREAPER, one, 0, 0, 0));
  } else if (strcmp(word, "default") == 0) {
    signal(one, SIG_DFL);
    say("default");
  } else if (strcmp(word, "ignore") == 0) {
    signal(one, SIG_IGN);
    say("ignore");
  } else if (strcmp(word, "die") == 0) {
    signal(one, SIG_DFL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){two, two});
    raise(one);
  } else if (strcmp(word, "wait") == 0) {
    waits = numbers < 1 || one != 0;
    say("waits");
  } else if (strcmp(word, "who") == 0) {
    say("who pid %d parent %d group %d session %d", getpid(), getppid(), getpgrp(), getsid(0));
  } else {
    say("%s", word);
  }
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  snprintf(directory, sizeof directory, "%s", arguments[1]);
  become(arguments[2]);
  for (int file = 0; file < 3; file++) {
    close(file);
    if (open("/dev/null", O_RDWR) != file) return 3;
  }
  handle(SIGCHLD, on_child);
  for (int number = 1; number <= SIGRTMIN + 8; number++) {
    if (number == SIGHUP || number == SIGUSR1 || number == SIGUSR2 || number == SIGCONT || number >= SIGRTMIN) handle(number, on_signal);
  }
  say("born");
  char own[64] = "", path[400];
  for (long offset = 0;;) {
    if (strcmp(own, name) != 0) { /* also after a fork: the child has orders of its own */
      snprintf(own, sizeof own, "%s", name);
      snprintf(path, sizeof path, "%s/%s.do", directory, name);
      offset = 0;
    }
    char orders[1024];
    int file = open(path, O_RDONLY);
    ssize_t length = file < 0 ? 0 : pread(file, orders, sizeof orders - 1, offset);
    if (file >= 0) close(file);
    orders[length > 0 ? length : 0] = 0;
    char *end = strchr(orders, '\n');
    if (end != NULL) {
      *end = 0;
      offset += end - orders + 1;
      obey(orders);
    } else {
      nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    collect();
  }
}
