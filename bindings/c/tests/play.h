/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A hub driven the way a host's loop does it, and what sessions said. */
#ifndef PLAY_H
#define PLAY_H

#include <dirent.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "check.h"

/* What was heard of one session. */
typedef struct {
    OrchSession *session;
    char *text;
    size_t len, room;
    bool exited;
    OrchEvent exit;
} Heard;

static inline OrchHub *new_hub(void)
{
    OrchHub *hub = NULL;
    OK(orch_hub_new(NULL, &hub));
    return hub;
}

/* Runs a script of the shell. */
static inline OrchSession *spawn_script(OrchHub *hub, const char *script, void *user_data)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argv;
    options.user_data = user_data;
    OrchSession *session = NULL;
    OK(orch_session_spawn(hub, &options, &session));
    return session;
}

static inline void hear(Heard *heard, OrchBytes bytes)
{
    if (heard->len + bytes.len + 1 > heard->room) {
        heard->room = 2 * (heard->len + bytes.len + 1);
        heard->text = (char *)realloc(heard->text, heard->room);
        CHECK(heard->text != NULL);
    }
    if (bytes.len > 0)
        memcpy(heard->text + heard->len, bytes.data, bytes.len);
    heard->len += bytes.len;
    heard->text[heard->len] = 0;
}

/* Takes all output there is now. */
static inline void drain(Heard *heard)
{
    OrchBytes first, second;
    while (orch_session_peek(heard->session, &first, &second) == ORCH_OK) {
        hear(heard, first);
        hear(heard, second);
        OK(orch_session_consume(heard->session, first.len + second.len));
    }
}

/* One turn of a loop: waits for the descriptor, dispatches, and hands events to `heard`, whose sessions carry it as user data. */
static inline void turn(OrchHub *hub)
{
    struct pollfd watched = {.fd = orch_hub_fd(hub), .events = POLLIN};
    CHECK(poll(&watched, 1, 60 * 1000) == 1);
    OrchStatus status;
    do {
        status = orch_hub_dispatch(hub, 0);
        CHECK(status == ORCH_OK || status == ORCH_MORE);
        OrchEvent event = ORCH_INIT(OrchEvent);
        while (orch_hub_next_event(hub, &event) == ORCH_OK) {
            Heard *heard = (Heard *)event.user_data;
            if (heard == NULL)
                continue;
            CHECK(event.session == heard->session);
            if (event.kind == ORCH_EVENT_OUTPUT)
                drain(heard);
            if (event.kind == ORCH_EVENT_EXIT) {
                drain(heard);
                heard->exited = true;
                heard->exit = event;
            }
        }
    } while (status == ORCH_MORE);
}

static inline void until_exit(OrchHub *hub, Heard *heard)
{
    while (!heard->exited)
        turn(hub);
}

static inline void until_text(OrchHub *hub, Heard *heard, const char *text)
{
    while (heard->text == NULL || strstr(heard->text, text) == NULL) {
        CHECK(!heard->exited);
        turn(hub);
    }
}

static inline void type_text(OrchSession *session, const char *text)
{
    size_t taken = 0;
    OK(orch_session_write(session, (const uint8_t *)text, strlen(text), &taken));
    CHECK(taken == strlen(text));
}

/* Whether the system shows by a descriptor that a process has ended. Where it does not (valgrind 3.19), hubs look now and then. */
static inline bool has_pidfds(void)
{
    long fd = syscall(SYS_pidfd_open, getpid(), 0);
    if (fd >= 0)
        close((int)fd);
    return fd >= 0;
}

/* Descriptors this process has. */
static inline int descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* The last error of this thread is of this status, and says something. */
static inline void says(OrchStatus status, const char *text)
{
    OrchError error = ORCH_INIT(OrchError);
    OK(orch_last_error(&error));
    if (error.status != status || strstr(error.message, text) == NULL) {
        fprintf(stderr, "the last error is %s: %s\n", orch_status_name(error.status), error.message);
        exit(1);
    }
}

#endif
