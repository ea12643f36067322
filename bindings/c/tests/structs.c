/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Structs that are older or newer than the library, and values that mean nothing. */
#include "play.h"

/* What a later version of the header might declare. */
typedef struct {
    OrchSpawnOptions known;
    uint64_t news;
} NewerSpawnOptions;

static void an_older_struct_is_taken_as_far_as_it_goes(void)
{
    OrchHub *hub = new_hub();
    const char *const argv[] = {"/bin/sh", "-c", "echo hello", NULL};
    OrchSpawnOptions options;
    memset(&options, 0xff, sizeof(options)); /* What lies behind the size must not be looked at. */
    options.size = offsetof(OrchSpawnOptions, env);
    options.argv = argv;
    OrchSession *session;
    OK(orch_session_spawn(hub, &options, &session));
    orch_session_free(session);
    orch_hub_free(hub);
}

static void a_newer_struct_is_taken_unless_what_is_new_is_asked_for(void)
{
    OrchHub *hub = new_hub();
    const char *const argv[] = {"/bin/sh", "-c", "echo hello", NULL};
    NewerSpawnOptions options;
    memset(&options, 0, sizeof(options));
    options.known.size = sizeof(options);
    options.known.argv = argv;
    OrchSession *session;
    OK(orch_session_spawn(hub, &options.known, &session));
    orch_session_free(session);
    options.news = 1;
    ANSWERS(ORCH_TOO_NEW, orch_session_spawn(hub, &options.known, &session));
    CHECK(session == NULL);
    says(ORCH_TOO_NEW, "OrchSpawnOptions");
    orch_hub_free(hub);
}

static void a_struct_that_was_not_made_ready_is_refused(void)
{
    OrchHub *hub = new_hub();
    size_t sizes[] = {0, 1, 7, 5000, (size_t)-1};
    for (size_t at = 0; at < sizeof(sizes) / sizeof(sizes[0]); at++) {
        OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
        options.size = sizes[at];
        OrchSession *session;
        ANSWERS(ORCH_INVALID, orch_session_spawn(hub, &options, &session));
        says(ORCH_INVALID, "ORCH_INIT(OrchSpawnOptions)");
        OrchEvent event = {.size = sizes[at]};
        ANSWERS(ORCH_INVALID, orch_hub_next_event(hub, &event));
        OrchMetrics metrics = {.size = sizes[at]};
        ANSWERS(ORCH_INVALID, orch_hub_metrics(hub, &metrics));
    }
    orch_hub_free(hub);
}

static void a_struct_is_filled_as_far_as_it_goes(void)
{
    OrchHub *hub = new_hub();
    Heard heard = {0};
    heard.session = spawn_script(hub, "exit 3", &heard);
    until_exit(hub, &heard);
    struct {
        OrchSessionStatus known;
        uint64_t news[4];
    } newer;
    memset(&newer, 0xff, sizeof(newer));
    newer.known.size = sizeof(newer);
    OK(orch_session_status(heard.session, &newer.known));
    CHECK(newer.known.size == sizeof(newer) && newer.known.exit_code == 3);
    for (int at = 0; at < 4; at++)
        CHECK(newer.news[at] == 0);
    OrchSessionStatus older;
    memset(&older, 0xff, sizeof(older));
    older.size = offsetof(OrchSessionStatus, id);
    OK(orch_session_status(heard.session, &older));
    CHECK(older.flags == ORCH_SESSION_ENDED && older.id == (uint64_t)-1);
    orch_session_free(heard.session);
    orch_hub_free(hub);
    free(heard.text);
}

static void an_event_is_not_lost_by_a_struct_that_was_not_made_ready(void)
{
    OrchHub *hub = new_hub();
    Heard heard = {0};
    heard.session = spawn_script(hub, "exit 3", &heard);
    OK(orch_hub_wait(hub, -1));
    OrchSessionStatus status = ORCH_INIT(OrchSessionStatus);
    while (status.flags == 0) {
        orch_hub_wait(hub, 1000 * 1000);
        OK(orch_session_status(heard.session, &status));
    }
    OrchEvent bad = {.size = 1}, event = ORCH_INIT(OrchEvent);
    ANSWERS(ORCH_INVALID, orch_hub_next_event(hub, &bad));
    while (event.kind != ORCH_EVENT_EXIT)
        OK(orch_hub_next_event(hub, &event));
    CHECK(event.exit_code == 3);
    orch_session_free(heard.session);
    orch_hub_free(hub);
}

static void values_that_mean_nothing_are_refused(void)
{
    OrchHubOptions hub_options = ORCH_INIT(OrchHubOptions);
    OrchHub *hub = (OrchHub *)&hub_options;
    hub_options.flags = 1u << 30;
    ANSWERS(ORCH_INVALID, orch_hub_new(&hub_options, &hub));
    CHECK(hub == NULL);
    hub_options.flags = 0;
    hub_options.pool_bytes = 1;
    ANSWERS(ORCH_INVALID, orch_hub_new(&hub_options, &hub));
    hub = new_hub();

    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    OrchSession *session;
    options.flags = ORCH_SPAWN_SECRET; /* Of servers only. */
    ANSWERS(ORCH_INVALID, orch_session_spawn(hub, &options, &session));
    options.flags = 0;
    options.window.cols = 80; /* And no rows. */
    ANSWERS(ORCH_INVALID, orch_session_spawn(hub, &options, &session));
    options.window.cols = 0;
    options.queue_bytes = UINT64_MAX;
    ANSWERS(ORCH_INVALID, orch_session_spawn(hub, &options, &session));
    options.queue_bytes = 0;
    options.history_bytes = 1;
    ANSWERS(ORCH_INVALID, orch_session_spawn(hub, &options, &session));

    session = spawn_script(hub, "sleep 100", NULL);
    ANSWERS(ORCH_INVALID, orch_session_signal(session, 0, ORCH_TARGET_LEADER));
    ANSWERS(ORCH_INVALID, orch_session_signal(session, 99, ORCH_TARGET_LEADER));
    ANSWERS(ORCH_INVALID, orch_session_signal(session, ORCH_SIGNAL_KILL, 3));
    ANSWERS(ORCH_INVALID, orch_session_consume(session, 1));
    uint8_t buf[1];
    size_t len;
    ANSWERS(ORCH_INVALID, orch_session_read(session, buf, 0, &len));
    OrchReaderOptions reader_options = ORCH_INIT(OrchReaderOptions);
    OrchReader *reader;
    reader_options.mode = 3;
    ANSWERS(ORCH_INVALID, orch_reader_new(session, &reader_options, &reader));
    CHECK(reader == NULL);
    reader_options.mode = 0;
    reader_options.flags = ORCH_READER_FROM_START | ORCH_READER_FROM_END;
    ANSWERS(ORCH_INVALID, orch_reader_new(session, &reader_options, &reader));
    reader_options.flags = 4;
    ANSWERS(ORCH_INVALID, orch_reader_new(session, &reader_options, &reader));
    orch_session_free(session);

    OrchBatchOptions batch_options = ORCH_INIT(OrchBatchOptions);
    OrchBatch *batch;
    batch_options.mode = 3;
    ANSWERS(ORCH_INVALID, orch_batch_new(&batch_options, &batch));
    batch_options.mode = 0;
    batch_options.class_ = 4;
    ANSWERS(ORCH_INVALID, orch_batch_new(&batch_options, &batch));
    batch_options.class_ = 0;
    batch_options.key = "\xff";
    ANSWERS(ORCH_INVALID, orch_batch_new(&batch_options, &batch));
    CHECK(batch == NULL);
    OK(orch_batch_new(NULL, &batch));
    ANSWERS(ORCH_INVALID, orch_batch_resize(batch, 1, 0, 0));
    ANSWERS(ORCH_INVALID, orch_batch_input(batch, 1, NULL, 0, 2));
    ANSWERS(ORCH_INVALID, orch_batch_control(batch, 1, 7, NULL));
    ANSWERS(ORCH_INVALID, orch_batch_control(batch, 1, ORCH_ACT_CLEAR, "title"));
    for (int at = 0; at < 1024; at++)
        OK(orch_batch_query(batch, 1));
    ANSWERS(ORCH_EXHAUSTED, orch_batch_query(batch, 1));
    orch_batch_free(batch);

    OrchServerOptions server_options = ORCH_INIT(OrchServerOptions);
    OrchServer *server;
    server_options.token = "not a token";
    ANSWERS(ORCH_INVALID, orch_server_new(hub, &server_options, &server));
    OrchClientOptions client_options = ORCH_INIT(OrchClientOptions);
    OrchClient *client;
    client_options.authority = "unix";
    client_options.pass = "nobody.AAAA";
    ANSWERS(ORCH_INVALID, orch_client_new(&client_options, &client));
    CHECK(client == NULL);
    orch_hub_free(hub);
}

static const Test tests[] = {
    TEST(an_older_struct_is_taken_as_far_as_it_goes),
    TEST(a_newer_struct_is_taken_unless_what_is_new_is_asked_for),
    TEST(a_struct_that_was_not_made_ready_is_refused),
    TEST(a_struct_is_filled_as_far_as_it_goes),
    TEST(an_event_is_not_lost_by_a_struct_that_was_not_made_ready),
    TEST(values_that_mean_nothing_are_refused),
};
RUN(tests)
