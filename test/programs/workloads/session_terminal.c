/*
 * A session on a pseudo-terminal whose master its parent holds. Leader and one member, the foreground group, tell of each signal that they get.
 * The parent does what the letters tell it that are appended to the file KRG_COMMANDS: i types ^C, w makes the window larger by a row, h
 * closes the master, t has both tell whether they have a terminal, q ends.
 */
#include "../terminal.h"

static const char *name;

static void tell(const char *what) {
  char line[64];
  int length = snprintf(line, sizeof line, "%s %s\n", name, what);
  if (write(1, line, length) != length) _exit(2);
}

static void note(int signal) {
  if (signal != SIGUSR1) {
    tell(sigabbrev_np(signal));
    return;
  }
  int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  tell(terminal >= 0 && tcgetsid(terminal) == getsid(0) ? "has a terminal" : "has none");
  if (terminal >= 0) close(terminal);
}

static void watch(const char *self) {
  const int signals[] = {SIGHUP, SIGINT, SIGCONT, SIGWINCH, SIGTTIN, SIGTTOU, SIGUSR1};
  struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask);
  name = self;
  for (size_t n = 0; n < sizeof signals / sizeof *signals; n++) must(sigaction(signals[n], &action, NULL));
}

static void belong(void *unused) {
  (void)unused;
  watch("member");
  settled();
  for (;;) pause();
}

static pid_t *member;

static void lead(void *pointer) {
  int slave = ((int *)pointer)[1];
  must(close(((int *)pointer)[0]));
  take_terminal(slave);
  *member = spawn(belong, NULL);
  must(setpgid(*member, *member));
  must(tcsetpgrp(slave, *member));
  must(close(slave));
  watch("leader");
  settled();
  for (;;) pause();
}

int main(void) {
  int master = open_master(), ends[] = {master, open_slave(master)}, commands = must(open(getenv("KRG_COMMANDS"), O_RDONLY));
  struct winsize size = {.ws_row = 24, .ws_col = 80};
  make_raw(ends[1]);
  struct termios attributes;
  must(tcgetattr(ends[1], &attributes));
  attributes.c_lflag |= ISIG;
  must(tcsetattr(ends[1], TCSANOW, &attributes));
  must(ioctl(master, TIOCSWINSZ, &size));
  member = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t leader = spawn(lead, ends);
  must(close(ends[1]));
  say_ready();
  for (char command = 0; command != 'q';) {
    if (must(read(commands, &command, 1)) == 0) usleep(10000);
    else if (command == 'i') must(write(master, "\x03", 1));
    else if (command == 'w') size.ws_row++, must(ioctl(master, TIOCSWINSZ, &size));
    else if (command == 'h') must(close(master));
    else if (command == 't') must(kill(leader, SIGUSR1)), must(kill(*member, SIGUSR1));
  }
  kill(*member, SIGKILL);
  pass();
}
