/* Stands between the wrapper and libc, and fails as FAULT_SHIM says (a list of words). Loaded with LD_PRELOAD into
 * that one process: what it starts runs without.
 *
 *   eintr eagain timeouts   one call in so many fails so, for nothing
 *   short one               reads and writes take a few bytes, or one
 *   no-sigchld              the handler is not installed
 *
 * and, once the file FAULT_FLAG is there:
 *
 *   tty-read-eio tty-write-eio   on the user's terminal
 *   pty-read-eio                 the next five on the child's
 *   pty-early-eio                every other one on the child's, as at an end that overtakes the last bytes
 *   file-enospc file-eio         writes to files; new folders
 *   realtime=S monotonic=S       the clock is so many seconds off
 *
 * FAULT_REPORT gets the number of waits at the end: that the file is there tells that this was loaded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum kind { OTHER, TTY, PTY, PLAIN };

static char spec[256], flag[512], report[512];
static uint64_t state = 1;
static unsigned long waits;
static int pty_failures = 5, pty_early;
static long realtime_off, monotonic_off;
static pid_t wrapper;

/* What epoll watches: a made-up EAGAIN needs a made-up edge. */
static struct { int epoll, fd; struct epoll_event event; } watched[64];
static int watches;

static int asked(const char *word) {
    size_t length = strlen(word);
    for (const char *at = spec; (at = strstr(at, word)); at += length) {
        int begins = at == spec || at[-1] == ',';
        if (begins && (at[length] == 0 || at[length] == ',')) return wrapper == getpid();
    }
    return 0;
}

static int struck(void) { return syscall(SYS_faccessat, AT_FDCWD, flag, F_OK) == 0; }

static uint32_t draw(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % below;
}

static long number(const char *name) {
    const char *at = strstr(spec, name);
    return at ? atol(at + strlen(name)) : 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *words = getenv("FAULT_SHIM"), *seed = getenv("FAULT_SEED");
    if (!words) return;
    wrapper = getpid();
    snprintf(spec, sizeof spec, "%s", words);
    snprintf(flag, sizeof flag, "%s", getenv("FAULT_FLAG") ? getenv("FAULT_FLAG") : "/nonexistent");
    snprintf(report, sizeof report, "%s", getenv("FAULT_REPORT") ? getenv("FAULT_REPORT") : "");
    state = seed ? strtoull(seed, NULL, 10) | 1 : 1;
    realtime_off = number("realtime=");
    monotonic_off = number("monotonic=");
    unsetenv("LD_PRELOAD");
    unsetenv("FAULT_SHIM");
}

__attribute__((destructor)) static void end(void) {
    if (!report[0] || wrapper != getpid()) return;
    char text[32];
    int length = snprintf(text, sizeof text, "%lu\n", waits);
    int fd = syscall(SYS_openat, AT_FDCWD, report, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    syscall(SYS_write, fd, text, length);
    syscall(SYS_close, fd);
}

static enum kind kind_of(int fd) {
    struct stat meta;
    if (fstat(fd, &meta)) return OTHER;
    if (S_ISREG(meta.st_mode)) return PLAIN;
    if (!S_ISCHR(meta.st_mode)) return OTHER;
    unsigned major = major(meta.st_rdev), minor = minor(meta.st_rdev);
    if (major == 5 && minor == 2) return PTY;
    if ((major == 5 && minor == 0) || (major >= 136 && major <= 143)) return TTY;
    return OTHER;
}

static int fail(int error) {
    errno = error;
    return -1;
}

/* The same edge again, if there is anything still. */
static void rearm(int fd) {
    for (int at = 0; at < watches; at++)
        if (watched[at].fd == fd)
            syscall(SYS_epoll_ctl, watched[at].epoll, EPOLL_CTL_MOD, fd, &watched[at].event);
}

/* The fault of a read or a write, or none; cuts the size. */
static int fault(int fd, enum kind kind, size_t *size) {
    int terminal = kind == TTY || kind == PTY;
    if (kind != OTHER && asked("eintr") && !draw(4)) return EINTR;
    if (terminal && asked("eagain") && !draw(5)) {
        rearm(fd);
        return EAGAIN;
    }
    if (kind != OTHER && *size > 1) {
        if (asked("one")) *size = 1;
        else if (asked("short")) *size = 1 + draw(*size < 64 ? *size : 64);
    }
    return 0;
}

ssize_t read(int fd, void *buffer, size_t size) {
    enum kind kind = wrapper ? kind_of(fd) : OTHER;
    int error = fault(fd, kind, &size);
    if (error) return fail(error);
    if (kind == TTY && asked("tty-read-eio") && struck()) return fail(EIO);
    if (kind == PTY && asked("pty-read-eio") && pty_failures && struck()) {
        pty_failures--;
        return fail(EIO);
    }
    if (kind == PTY && asked("pty-early-eio") && struck() && (pty_early = !pty_early)) return fail(EIO);
    return syscall(SYS_read, fd, buffer, size);
}

ssize_t write(int fd, const void *buffer, size_t size) {
    enum kind kind = wrapper ? kind_of(fd) : OTHER;
    int error = fault(fd, kind, &size);
    if (error) return fail(error);
    if (kind == TTY && asked("tty-write-eio") && struck()) return fail(EIO);
    if (kind == PLAIN && asked("file-eio") && struck()) return fail(EIO);
    if (kind == PLAIN && asked("file-enospc") && struck()) return fail(ENOSPC);
    return syscall(SYS_write, fd, buffer, size);
}

int mkdir(const char *path, mode_t mode) {
    if (asked("file-enospc") && struck()) return fail(ENOSPC);
    return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event) {
    if (what == EPOLL_CTL_ADD && event && watches < 64) {
        watched[watches].epoll = epoll;
        watched[watches].fd = fd;
        watched[watches++].event = *event;
    }
    return syscall(SYS_epoll_ctl, epoll, what, fd, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) {
    waits++;
    if (asked("eintr") && !draw(4)) return fail(EINTR);
    if (asked("timeouts") && !draw(4)) return 0;
    return syscall(SYS_epoll_pwait, epoll, events, most, timeout, NULL, 8);
}

pid_t waitpid(pid_t pid, int *status, int options) {
    if (asked("eintr") && draw(2)) return fail(EINTR);
    return syscall(SYS_wait4, pid, status, options, NULL);
}

int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
    if (asked("eintr") && draw(2)) return fail(EINTR);
    return syscall(SYS_waitid, type, id, info, options, NULL);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (wrapper && (realtime_off || monotonic_off) && struck()) {
        if (clock == CLOCK_REALTIME) time->tv_sec += realtime_off;
        if (clock == CLOCK_MONOTONIC) time->tv_sec += monotonic_off;
    }
    return result;
}

int sigaction(int number, const struct sigaction *action, struct sigaction *before) {
    static int (*real)(int, const struct sigaction *, struct sigaction *);
    if (number == SIGCHLD && action && asked("no-sigchld")) {
        if (before) memset(before, 0, sizeof *before);
        return 0;
    }
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "sigaction");
    return real(number, action, before);
}
