/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A terminal in your terminal: runs your shell, or the command given, and passes everything through.
 *
 *     cc epoll_term.c $(pkg-config --cflags --libs orchflow) -o epoll_term && ./epoll_term vim
 *
 * One epoll over what the host cares about: its keys, the size of its window, and the hub's one descriptor.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "orchflow.h"

static struct termios cooked;

static void leave_raw_mode(void)
{
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &cooked);
}

static void fail(const char *doing)
{
    OrchError error = ORCH_INIT(OrchError);
    orch_last_error(&error);
    fprintf(stderr, "epoll_term: %s: %s\n", doing, error.status < 0 ? error.message : strerror(errno));
    exit(1);
}

static OrchSize window(void)
{
    struct winsize size = {0};
    ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
    OrchSize window = {.cols = size.ws_col, .rows = size.ws_row, .width_px = size.ws_xpixel, .height_px = size.ws_ypixel};
    if (window.cols == 0 || window.rows == 0)
        window = (OrchSize){.cols = 80, .rows = 24};
    return window;
}

static void show(OrchBytes bytes)
{
    while (bytes.len > 0) {
        ssize_t shown = write(STDOUT_FILENO, bytes.data, bytes.len);
        if (shown < 0 && errno != EINTR && errno != EAGAIN)
            exit(1); /* Nobody is there to see it. */
        if (shown > 0) {
            bytes.data += shown;
            bytes.len -= (size_t)shown;
        }
    }
}

/* Keys that were read, and that the session has not taken yet. */
static uint8_t keys[4096];
static size_t keys_len;

static void type_in(OrchSession *session)
{
    size_t taken = 0;
    OrchStatus status = orch_session_write(session, keys, keys_len, &taken);
    if (status == ORCH_OK) {
        memmove(keys, keys + taken, keys_len - taken);
        keys_len -= taken;
    } else if (status == ORCH_LINE_TOO_LONG) {
        keys_len = 0;
        show((OrchBytes){(const uint8_t *)"\a", 1}); /* What a terminal does with a key it has no room for. */
    } else if (status != ORCH_AGAIN) { /* An event tells when there is room. */
        keys_len = 0;
    }
}

static void watch(int epoll, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) < 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("watch");
}

int main(int argc, char **argv)
{
    if (tcgetattr(STDIN_FILENO, &cooked) < 0) {
        fprintf(stderr, "standard input is not a terminal: run this in one\n");
        return 1;
    }
    sigset_t resizes;
    sigemptyset(&resizes);
    sigaddset(&resizes, SIGWINCH);
    sigprocmask(SIG_BLOCK, &resizes, NULL);
    int resized = signalfd(-1, &resizes, SFD_CLOEXEC | SFD_NONBLOCK), epoll = epoll_create1(EPOLL_CLOEXEC);

    OrchHub *hub;
    if (orch_hub_new(NULL, &hub) < 0)
        fail("open a hub");
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argc > 1 ? (const char *const *)(argv + 1) : NULL;
    options.window = window();
    OrchSession *session;
    if (orch_session_spawn(hub, &options, &session) < 0)
        fail("run it");

    struct termios raw = cooked;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    atexit(leave_raw_mode);
    watch(epoll, resized, EPOLLIN);
    watch(epoll, orch_hub_fd(hub), EPOLLIN);

    OrchEvent exited = ORCH_INIT(OrchEvent);
    while (exited.kind != ORCH_EVENT_EXIT) {
        watch(epoll, STDIN_FILENO, keys_len == 0 ? EPOLLIN : 0); /* No keys are read while earlier ones wait. */
        struct epoll_event ready[3];
        int count = epoll_wait(epoll, ready, 3, -1);
        for (int at = 0; at < count; at++) {
            if (ready[at].data.fd == STDIN_FILENO) {
                ssize_t read_now = read(STDIN_FILENO, keys, sizeof(keys));
                if (read_now <= 0) /* Our terminal is gone; so is who sits there. */
                    orch_session_close(session, 1000 * 1000 * 1000);
                keys_len = read_now > 0 ? (size_t)read_now : 0;
                type_in(session);
            } else if (ready[at].data.fd == resized) {
                struct signalfd_siginfo signal;
                while (read(resized, &signal, sizeof(signal)) > 0)
                    ;
                OrchSize size = window();
                orch_session_resize_to(session, &size, NULL);
            }
        }
        if (orch_hub_dispatch(hub, 0) < 0)
            fail("dispatch");
        OrchEvent event = ORCH_INIT(OrchEvent);
        while (orch_hub_next_event(hub, &event) == ORCH_OK) {
            if (event.kind == ORCH_EVENT_INPUT_READY)
                type_in(session);
            if (event.kind == ORCH_EVENT_EXIT)
                exited = event;
        }
        OrchBytes first, second;
        while (orch_session_peek(session, &first, &second) == ORCH_OK) {
            show(first);
            show(second);
            orch_session_consume(session, first.len + second.len);
        }
    }
    orch_session_free(session);
    orch_hub_free(hub);
    return exited.exit_signal > 0 ? 128 + exited.exit_signal : exited.exit_code;
}
