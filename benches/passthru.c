/* The least that a program in a pseudo-terminal needs around it: a pty, raw mode, the size, and a
 * poll loop that copies both ways. It reads nothing of what passes. The yardstick of overhead.rs. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static int master;

static void restore(void) { tcsetattr(0, TCSANOW, &before); }

static void on_winch(int signal) {
  struct winsize size;
  (void)signal;
  if (ioctl(0, TIOCGWINSZ, &size) == 0) ioctl(master, TIOCSWINSZ, &size);
}

/* 0 at the end, which a pty's master reports as EIO. */
static int copy(int from, int to) {
  static char buffer[65536];
  ssize_t got = read(from, buffer, sizeof buffer);
  if (got < 0 && errno == EINTR) return 1;
  if (got <= 0) return 0;
  for (ssize_t sent = 0; sent < got;) {
    ssize_t n = write(to, buffer + sent, (size_t)(got - sent));
    if (n < 0 && errno != EINTR) return 0;
    if (n > 0) sent += n;
  }
  return 1;
}

int main(int argc, char **argv) {
  struct winsize size;
  if (argc < 2 || tcgetattr(0, &before) < 0 || ioctl(0, TIOCGWINSZ, &size) < 0) return 125;
  pid_t child = forkpty(&master, NULL, &before, &size);
  if (child < 0) return 125;
  if (child == 0) {
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  struct termios raw = before;
  cfmakeraw(&raw);
  tcsetattr(0, TCSANOW, &raw);
  atexit(restore);
  signal(SIGWINCH, on_winch);

  struct pollfd fds[2] = {{.fd = 0, .events = POLLIN}, {.fd = master, .events = POLLIN}};
  for (;;) {
    if (poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    if (fds[1].revents && !copy(master, 1)) break;
    if (fds[0].revents && !copy(0, master)) fds[0].fd = -1;
  }
  int status;
  if (waitpid(child, &status, 0) < 0) return 125;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
