/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The engine as C has it beside the raw loop in C, block by block in turn. `orchflow-bench c` runs this and reads its lines:
 *
 *     bench echo BLOCKS TRIPS    a line `p50 p99`, in us, for each of: ours, ours by hub_wait, the raw loop, the raw loop again; per block
 *     bench flood BLOCKS BYTES   a line of MB/s for the same four
 *     bench peek CALLS           one line: ns for a peek and a consume
 *     bench cat | bench yes      what runs in the terminals
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "orchflow.h"

static const char *program;

static void fail(const char *doing)
{
    OrchError error = ORCH_INIT(OrchError);
    orch_last_error(&error);
    fprintf(stderr, "bench: %s: %s\n", doing, error.status < 0 ? error.message : strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- What runs in the terminals ---- */

static void ready(void)
{
    struct termios modes;
    if (tcgetattr(STDIN_FILENO, &modes) < 0)
        fail("a child is not in a terminal");
    cfmakeraw(&modes);
    tcsetattr(STDIN_FILENO, TCSANOW, &modes);
    if (write(STDOUT_FILENO, "R", 1) != 1)
        exit(1);
}

static int play_cat(void)
{
    char typed[256];
    ssize_t len;
    ready();
    while ((len = read(STDIN_FILENO, typed, sizeof(typed))) > 0)
        if (write(STDOUT_FILENO, typed, (size_t)len) != len)
            return 1;
    return 0;
}

static int play_yes(void)
{
    static char text[65536];
    for (size_t at = 0; at < sizeof(text); at++)
        text[at] = "the quick brown fox jumps over the lazy dog 0123456789\r\n"[at % 56];
    ready();
    while (write(STDOUT_FILENO, text, sizeof(text)) > 0)
        ;
    return 0;
}

/* ---- The sides ---- */

typedef struct Side Side;
struct Side {
    void (*type_key)(Side *side);
    size_t (*turn)(Side *side); /* Waits for output, takes some, and answers how much. */
    OrchHub *hub;
    OrchSession *session;
    int epoll, master;
};

static char sink; /* So that what is read is looked at. */

static void type_ours(Side *side)
{
    size_t taken;
    if (orch_session_write(side->session, (const uint8_t *)"x", 1, &taken) != ORCH_OK)
        fail("type");
}

static size_t take_ours(Side *side)
{
    OrchBytes first, second;
    size_t all = 0;
    OrchEvent event = ORCH_INIT(OrchEvent);
    while (orch_hub_next_event(side->hub, &event) == ORCH_OK) {
        if (event.kind != ORCH_EVENT_OUTPUT || orch_session_peek(side->session, &first, &second) != ORCH_OK)
            continue;
        sink = (char)first.data[0];
        all += first.len + second.len;
        orch_session_consume(side->session, first.len + second.len);
    }
    return all;
}

/* A host's own loop: its epoll, and the hub's descriptor in it. */
static size_t turn_ours(Side *side)
{
    struct epoll_event ready_now;
    if (epoll_wait(side->epoll, &ready_now, 1, -1) != 1 || orch_hub_dispatch(side->hub, 0) < 0)
        fail("wait");
    return take_ours(side);
}

/* A program that has no loop. */
static size_t turn_waiting(Side *side)
{
    if (orch_hub_wait(side->hub, -1) < 0)
        fail("wait");
    return take_ours(side);
}

static void type_raw(Side *side)
{
    if (write(side->master, "x", 1) != 1)
        fail("type");
}

static size_t turn_raw(Side *side)
{
    static char buffer[65536];
    struct epoll_event ready_now;
    if (epoll_wait(side->epoll, &ready_now, 1, -1) != 1)
        fail("wait");
    ssize_t len = read(side->master, buffer, sizeof(buffer));
    if (len <= 0)
        fail("read");
    sink = buffer[0];
    return (size_t)len;
}

static int watching(int fd)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("watch");
    return epoll;
}

static Side ours(const char *role, bool waits)
{
    Side side = {.type_key = type_ours, .turn = waits ? turn_waiting : turn_ours};
    const char *const argv[] = {program, role, NULL};
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argv;
    if (orch_hub_new(NULL, &side.hub) < 0 || orch_session_spawn(side.hub, &options, &side.session) < 0)
        fail("spawn");
    side.epoll = watching(orch_hub_fd(side.hub));
    while (side.turn(&side) == 0)
        ;
    return side;
}

static Side raw(const char *role)
{
    Side side = {.type_key = type_raw, .turn = turn_raw};
    struct winsize size = {.ws_col = 80, .ws_row = 24};
    pid_t child = forkpty(&side.master, NULL, NULL, &size);
    if (child == 0) {
        execl(program, program, role, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || fcntl(side.master, F_SETFL, O_NONBLOCK) < 0)
        fail("fork");
    side.epoll = watching(side.master);
    turn_raw(&side);
    return side;
}

/* ---- The measurements ---- */

#define SIDES 4

static int by_size(const void *one, const void *other)
{
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

static void echo_block(Side *side, int trips)
{
    double *took = malloc((size_t)trips * sizeof(*took));
    for (int trip = -20; trip < trips; trip++) { /* The first ones warm up. */
        double began = now_s();
        side->type_key(side);
        while (side->turn(side) == 0)
            ;
        if (trip >= 0)
            took[trip] = (now_s() - began) * 1e6;
    }
    qsort(took, (size_t)trips, sizeof(*took), by_size);
    printf("%.3f %.3f\n", took[trips / 2], took[trips * 99 / 100]);
    free(took);
}

static void flood_block(Side *side, size_t bytes)
{
    double began = now_s();
    size_t taken = 0;
    while (taken < bytes)
        taken += side->turn(side);
    printf("%.3f\n", (double)taken / 1e6 / (now_s() - began));
}

/* Each block runs all sides, forwards and backwards in turn. The lines come in the order of the sides. */
static int compare(const char *role, int blocks, long size, bool echo)
{
    Side sides[SIDES] = {ours(role, false), ours(role, true), raw(role), raw(role)};
    for (int pass = 0; pass < blocks; pass++)
        for (int step = 0; step < SIDES; step++) {
            int at = pass % 2 == 0 ? step : SIDES - 1 - step;
            printf("%d ", at);
            if (echo)
                echo_block(&sides[at], (int)size);
            else
                flood_block(&sides[at], (size_t)size);
        }
    for (int at = 0; at < 2; at++) {
        orch_session_close(sides[at].session, 0);
        orch_session_free(sides[at].session);
        orch_hub_free(sides[at].hub);
    }
    return 0;
}

/* Of a peek and a consume of one byte, with more behind it. */
static int peek(long calls)
{
    Side side = ours("yes", true);
    OrchSessionStatus status = ORCH_INIT(OrchSessionStatus);
    while (status.output_end < 400000) {
        orch_hub_wait(side.hub, -1);
        OrchEvent event = ORCH_INIT(OrchEvent);
        while (orch_hub_next_event(side.hub, &event) == ORCH_OK)
            ;
        orch_session_status(side.session, &status);
    }
    if ((uint64_t)calls > status.output_end - 100000)
        calls = (long)(status.output_end - 100000);
    double best = 1e9;
    double began = now_s();
    for (long call = 0; call < calls; call++) {
        OrchBytes first;
        if (orch_session_peek(side.session, &first, NULL) != ORCH_OK)
            fail("peek");
        sink = (char)first.data[0];
        orch_session_consume(side.session, 1);
    }
    best = (now_s() - began) * 1e9 / (double)calls;
    printf("%.3f\n", best);
    orch_session_close(side.session, 0);
    orch_session_free(side.session);
    orch_hub_free(side.hub);
    return 0;
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc == 2 && strcmp(argv[1], "cat") == 0)
        return play_cat();
    if (argc == 2 && strcmp(argv[1], "yes") == 0)
        return play_yes();
    if (argc == 4 && strcmp(argv[1], "echo") == 0)
        return compare("cat", atoi(argv[2]), atol(argv[3]), true);
    if (argc == 4 && strcmp(argv[1], "flood") == 0)
        return compare("yes", atoi(argv[2]), atol(argv[3]), false);
    if (argc == 3 && strcmp(argv[1], "peek") == 0)
        return peek(atol(argv[2]));
    fprintf(stderr, "usage: bench echo BLOCKS TRIPS | flood BLOCKS BYTES | peek CALLS\n");
    return 2;
}
