/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Automation: talks to a program as a person would, and waits for what it says and not for time to pass.
 *
 *     cc expect.c $(pkg-config --cflags --libs orchflow) -o expect && ./expect
 *
 * It logs in to a pretended service that asks for a name and a password, has it multiply, and leaves.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchflow.h"

/* A conversation, and what was said of it since the last question. */
typedef struct {
    OrchHub *hub;
    OrchSession *session;
    char heard[65536];
    size_t len;
} Talk;

static void fail(const Talk *talk, const char *what)
{
    OrchError error = ORCH_INIT(OrchError);
    orch_last_error(&error);
    fprintf(stderr, "expect: %s; heard so far: \"%.*s\"%s%s\n", what, (int)talk->len, talk->heard, error.status < 0 ? "; " : "",
            error.status < 0 ? error.message : "");
    exit(1);
}

/* Waits until `text` was said, and forgets everything up to its end. */
static void expect(Talk *talk, const char *text)
{
    const uint64_t patience = 10ull * 1000 * 1000 * 1000;
    uint64_t now, deadline;
    orch_hub_now(talk->hub, &now);
    deadline = now + patience;
    for (;;) {
        talk->heard[talk->len] = 0;
        char *found = strstr(talk->heard, text);
        if (found != NULL) {
            size_t end = (size_t)(found - talk->heard) + strlen(text);
            memmove(talk->heard, talk->heard + end, talk->len - end);
            talk->len -= end;
            return;
        }
        size_t read_now;
        size_t room = sizeof(talk->heard) - 1 - talk->len;
        if (room == 0)
            fail(talk, "it talks and talks");
        OrchStatus status = orch_session_read(talk->session, (uint8_t *)talk->heard + talk->len, room, &read_now);
        if (status == ORCH_EOF || status < 0)
            fail(talk, "it ended before it said what was expected");
        talk->len += read_now;
        if (status == ORCH_OK)
            continue;
        orch_hub_now(talk->hub, &now);
        if (now >= deadline || orch_hub_wait(talk->hub, (int64_t)(deadline - now)) < 0)
            fail(talk, "it did not say what was expected in time");
        OrchEvent event = ORCH_INIT(OrchEvent);
        while (orch_hub_next_event(talk->hub, &event) == ORCH_OK)
            ; /* They have said that it is time to read on, and that is done above. */
    }
}

static void say(Talk *talk, const char *text)
{
    size_t taken;
    if (orch_session_write(talk->session, (const uint8_t *)text, strlen(text), &taken) != ORCH_OK)
        fail(talk, "it does not listen");
}

int main(void)
{
    static const char service[] =
        "printf 'name: '; read name; stty -echo; printf 'password: '; read password; stty echo; echo;"
        "[ \"$password\" = 'open sesame' ] || { echo 'access denied'; exit 1; };"
        "echo \"welcome, $name\"; while printf '> ' && read a b; do [ \"$a\" = bye ] && exit 0; echo \"$((a * b))\"; done";
    static const char *const argv[] = {"/bin/sh", "-c", service, NULL};
    static Talk talk;
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argv;
    if (orch_hub_new(NULL, &talk.hub) < 0 || orch_session_spawn(talk.hub, &options, &talk.session) < 0)
        fail(&talk, "it cannot be run");
    expect(&talk, "name: ");
    say(&talk, "Ali Baba\n");
    expect(&talk, "password: ");
    say(&talk, "open sesame\n"); /* What is typed now is not echoed. */
    expect(&talk, "welcome, Ali Baba");
    if (strstr(talk.heard, "sesame") != NULL)
        fail(&talk, "the password was shown");
    expect(&talk, "> ");
    say(&talk, "6 7\n");
    expect(&talk, "42\r\n> ");
    say(&talk, "bye\n");
    OrchSessionStatus status = ORCH_INIT(OrchSessionStatus);
    while ((status.flags & ORCH_SESSION_ENDED) == 0) {
        orch_hub_wait(talk.hub, 100 * 1000 * 1000);
        OrchEvent event = ORCH_INIT(OrchEvent);
        while (orch_hub_next_event(talk.hub, &event) == ORCH_OK)
            ;
        orch_session_status(talk.session, &status);
    }
    printf("it said what was expected, and ended with %d\n", status.exit_code);
    orch_session_free(talk.session);
    orch_hub_free(talk.hub);
    return status.exit_code;
}
