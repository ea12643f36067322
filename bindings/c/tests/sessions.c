/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sessions: what they say, what they are told, and how they end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "play.h"

static void a_session_says_what_it_has_to_say_and_then_ends(void)
{
    int before = descriptors();
    OrchHub *hub = new_hub();
    Heard heard = {0};
    heard.session = spawn_script(hub, "echo hello; exit 3", &heard);
    until_exit(hub, &heard);
    CHECK(strcmp(heard.text, "hello\r\n") == 0);
    CHECK(heard.exit.exit_code == 3 && heard.exit.exit_signal == 0 && heard.exit.flags == 0);
    OrchBytes first, second;
    ANSWERS(ORCH_EOF, orch_session_peek(heard.session, &first, &second));
    size_t taken;
    ANSWERS(ORCH_CLOSED, orch_session_write(heard.session, (const uint8_t *)"x", 1, &taken));
    says(ORCH_CLOSED, "ended");
    OrchSessionStatus status = ORCH_INIT(OrchSessionStatus);
    OK(orch_session_status(heard.session, &status));
    CHECK(status.flags == ORCH_SESSION_ENDED && status.exit_code == 3 && status.pid == 0);
    CHECK(status.output_start == 0 && status.output_end == 7 && status.output_consumed == 7);
    orch_session_free(heard.session);
    orch_hub_free(hub);
    CHECK(descriptors() == before);
    free(heard.text);
}

static void a_signal_that_ends_it_is_told_as_one(void)
{
    OrchHub *hub = new_hub();
    Heard heard = {0};
    heard.session = spawn_script(hub, "kill -9 $$", &heard);
    until_exit(hub, &heard);
    CHECK(heard.exit.exit_code == -1 && heard.exit.exit_signal == SIGKILL);
    orch_session_free(heard.session);
    orch_hub_free(hub);
    free(heard.text);
}

static void the_exit_comes_after_ten_megabytes(void)
{
    OrchHub *hub = new_hub();
    Heard heard = {0};
    heard.session = spawn_script(hub, "stty raw; head -c 10000000 /dev/zero | tr '\\0' x; exit 7", &heard);
    until_exit(hub, &heard);
    CHECK(heard.len == 10 * 1000 * 1000 && heard.exit.exit_code == 7);
    for (size_t at = 0; at < heard.len; at++)
        CHECK(heard.text[at] == 'x');
    orch_session_free(heard.session);
    orch_hub_free(hub);
    free(heard.text);
}

static void a_program_is_stopped_while_its_output_waits(void)
{
    OrchHub *hub = new_hub();
    const char *const argv[] = {"/bin/sh", "-c", "stty raw; head -c 4000000 /dev/zero; exit 0", NULL};
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argv;
    options.queue_bytes = 100 * 1000;
    Heard heard = {0};
    options.user_data = &heard;
    OK(orch_session_spawn(hub, &options, &heard.session));
    OrchSessionStatus status = ORCH_INIT(OrchSessionStatus);
    OrchMetrics metrics = ORCH_INIT(OrchMetrics);
    do { /* Nothing is consumed. */
        orch_hub_wait(hub, 1000 * 1000 * 1000);
        OrchEvent event = ORCH_INIT(OrchEvent);
        while (orch_hub_next_event(hub, &event) == ORCH_OK)
            ;
        OK(orch_hub_metrics(hub, &metrics));
    } while (metrics.paused == 0);
    OK(orch_session_status(heard.session, &status));
    CHECK(status.output_end >= 100 * 1000 && status.output_end < 300 * 1000);
    drain(&heard);
    until_exit(hub, &heard);
    CHECK(heard.len == 4 * 1000 * 1000);
    orch_session_free(heard.session);
    orch_hub_free(hub);
    free(heard.text);
}

static void input_is_typed_and_echoed(void)
{
    OrchHub *hub = new_hub();
    Heard heard = {0};
    heard.session = spawn_script(hub, "read line; echo \"got $line\"", &heard);
    type_text(heard.session, "forty two\n");
    until_exit(hub, &heard);
    CHECK(strstr(heard.text, "got forty two") != NULL);
    orch_session_free(heard.session);
    orch_hub_free(hub);
    free(heard.text);
}

static void a_line_that_would_be_cut_is_refused(void)
{
    OrchHub *hub = new_hub();
    Heard heard = {0};
    heard.session = spawn_script(hub, "echo ready; sleep 100", &heard);
    until_text(hub, &heard, "ready");
    static uint8_t line[5000];
    memset(line, 'a', sizeof(line));
    size_t taken = 99;
    ANSWERS(ORCH_LINE_TOO_LONG, orch_session_write(heard.session, line, sizeof(line), &taken));
    CHECK(taken == 99);
    orch_session_free(heard.session);
    orch_hub_free(hub);
    free(heard.text);
}

static void a_full_queue_says_when_there_is_room(void)
{
    OrchHub *hub = new_hub();
    const char *const argv[] = {"/bin/sh", "-c", "stty raw -echo; echo ready; exec cat > /dev/null", NULL};
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argv;
    options.input_bytes = 64 * 1024;
    Heard heard = {0};
    options.user_data = &heard;
    OK(orch_session_spawn(hub, &options, &heard.session));
    until_text(hub, &heard, "ready");
    OK(orch_session_signal(heard.session, ORCH_SIGNAL_STOP, ORCH_TARGET_LEADER));
    static uint8_t data[16 * 1024];
    memset(data, 'a', sizeof(data));
    size_t taken, all = 0;
    OrchStatus status;
    while ((status = orch_session_write(heard.session, data, sizeof(data), &taken)) == ORCH_OK)
        all += taken;
    CHECK(status == ORCH_AGAIN && all >= 64 * 1024);
    OrchSessionStatus known = ORCH_INIT(OrchSessionStatus);
    OK(orch_session_status(heard.session, &known));
    CHECK(known.input_queued > 0 && known.input_queued <= 64 * 1024);
    OK(orch_session_signal(heard.session, ORCH_SIGNAL_CONTINUE, ORCH_TARGET_LEADER));
    OrchEvent event = ORCH_INIT(OrchEvent);
    while (event.kind != ORCH_EVENT_INPUT_READY) {
        orch_hub_wait(hub, -1);
        while (event.kind != ORCH_EVENT_INPUT_READY && orch_hub_next_event(hub, &event) == ORCH_OK)
            ;
    }
    OK(orch_session_write(heard.session, data, 1, &taken));
    orch_session_free(heard.session);
    orch_hub_free(hub);
    free(heard.text);
}

static void a_resize_reaches_the_program_and_is_told(void)
{
    OrchHub *hub = new_hub();
    Heard heard = {0};
    heard.session = spawn_script(hub, "stty size; read line; stty size", &heard);
    until_text(hub, &heard, "24 80");
    OrchSize window = {.cols = 132, .rows = 43, .width_px = 1320, .height_px = 860};
    uint64_t number = 0;
    OK(orch_session_resize_to(heard.session, &window, &number));
    CHECK(number > 0);
    OrchEvent event = ORCH_INIT(OrchEvent);
    OrchStatus status;
    while ((status = orch_hub_next_event(hub, &event)) != ORCH_OK || event.kind != ORCH_EVENT_RESIZED)
        if (status == ORCH_AGAIN)
            orch_hub_wait(hub, -1);
    CHECK(event.to == number && event.session == heard.session);
    CHECK(memcmp(&event.window, &window, sizeof(window)) == 0);
    type_text(heard.session, "\n");
    until_exit(hub, &heard);
    CHECK(strstr(heard.text, "43 132") != NULL);
    ANSWERS(ORCH_INVALID, orch_session_resize(heard.session, 0, 24));
    ANSWERS(ORCH_CLOSED, orch_session_resize(heard.session, 80, 24));
    orch_session_free(heard.session);
    orch_hub_free(hub);
    free(heard.text);
}

static void a_program_that_cannot_be_run_fails_at_once(void)
{
    OrchHub *hub = new_hub();
    int before = descriptors();
    const struct {
        const char *program, *cwd;
        OrchStatus status;
        int os_error;
    } cases[] = {
        {"/no/such/program", NULL, ORCH_NOT_FOUND, ENOENT},
        {"no-such-program-in-the-path", NULL, ORCH_NOT_FOUND, ENOENT},
        {"/etc/passwd", NULL, ORCH_PERMISSION, EACCES},
        {"/tmp", NULL, ORCH_PERMISSION, EISDIR},
        {"/bin/sh", "/no/such/folder", ORCH_NOT_FOUND, ENOENT},
    };
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        const char *const argv[] = {cases[at].program, NULL};
        OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
        options.argv = argv;
        options.cwd = cases[at].cwd;
        OrchSession *session = (OrchSession *)&options;
        ANSWERS(cases[at].status, orch_session_spawn(hub, &options, &session));
        CHECK(session == NULL);
        OrchError error = ORCH_INIT(OrchError);
        OK(orch_last_error(&error));
        CHECK(error.os_error == cases[at].os_error);
    }
    const char *const nothing[] = {NULL};
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = nothing;
    OrchSession *session;
    ANSWERS(ORCH_INVALID, orch_session_spawn(hub, &options, &session));
    CHECK(descriptors() == before);
    orch_hub_free(hub);
}

static void the_environment_is_as_it_was_asked_for(void)
{
    OrchHub *hub = new_hub();
    setenv("ORCH_LEFT", "left", 1);
    setenv("ORCH_GONE", "gone", 1);
    const char *const argv[] = {"/bin/sh", "-c", "echo \"[$ORCH_LEFT][$ORCH_GONE][$ORCH_NEW][$TERM][$(pwd)]\"", NULL};
    const char *const env[] = {"ORCH_GONE", "ORCH_NEW=a=b", NULL};
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argv;
    options.env = env;
    options.cwd = "/usr";
    for (int cleared = 0; cleared < 2; cleared++) {
        Heard heard = {0};
        options.user_data = &heard;
        options.flags = cleared ? ORCH_SPAWN_CLEAR_ENV : 0;
        OK(orch_session_spawn(hub, &options, &heard.session));
        until_exit(hub, &heard);
        const char *expected = cleared ? "[][][a=b][dumb][/usr]" : "[left][][a=b][xterm-256color][/usr]";
        if (strstr(heard.text, expected) == NULL && !(cleared && strstr(heard.text, "[][][a=b][][/usr]") != NULL)) {
            fprintf(stderr, "%s instead of %s\n", heard.text, expected);
            exit(1);
        }
        orch_session_free(heard.session);
        free(heard.text);
    }
    orch_hub_free(hub);
}

static void a_close_waits_on_the_process_and_not_on_the_clock(void)
{
    OrchHub *hub = new_hub();
    Heard heard = {0};
    heard.session = spawn_script(hub, "trap '' HUP; echo ready; while :; do sleep 0.05; done", &heard);
    until_text(hub, &heard, "ready");
    OK(orch_session_close(heard.session, 50 * 1000 * 1000));
    until_exit(hub, &heard);
    CHECK(heard.exit.exit_signal == SIGTERM);
    orch_session_free(heard.session);
    orch_hub_free(hub);
    free(heard.text);
}

static void descriptors_do_not_reach_other_programs(void)
{
    bool known[256];
    for (int fd = 0; fd < 256; fd++)
        known[fd] = fcntl(fd, F_GETFD) >= 0;
    OrchHub *hub = new_hub();
    Heard heard = {0};
    heard.session = spawn_script(hub, "sleep 100", &heard);
    int ours = 0;
    for (int fd = 0; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        CHECK(known[fd] || flags < 0 || (flags & FD_CLOEXEC) != 0);
        ours += !known[fd] && flags >= 0;
    }
    CHECK(ours > 0);
    orch_session_free(heard.session);
    orch_hub_free(hub);
}

static const Test tests[] = {
    TEST(a_session_says_what_it_has_to_say_and_then_ends),
    TEST(a_signal_that_ends_it_is_told_as_one),
    TEST(the_exit_comes_after_ten_megabytes),
    TEST(a_program_is_stopped_while_its_output_waits),
    TEST(input_is_typed_and_echoed),
    TEST(a_line_that_would_be_cut_is_refused),
    TEST(a_full_queue_says_when_there_is_room),
    TEST(a_resize_reaches_the_program_and_is_told),
    TEST(a_program_that_cannot_be_run_fails_at_once),
    TEST(the_environment_is_as_it_was_asked_for),
    TEST(a_close_waits_on_the_process_and_not_on_the_clock),
    TEST(descriptors_do_not_reach_other_programs),
};
RUN(tests)
