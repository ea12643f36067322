/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Every function is called with NULL wherever C lets it; the check of the header sees to it that none is missing here. */
#include "play.h"

static void a_handle_that_is_null_is_answered(void)
{
    OrchEvent event = ORCH_INIT(OrchEvent);
    OrchClientEvent client_event = ORCH_INIT(OrchClientEvent);
    OrchOutcome outcome = ORCH_INIT(OrchOutcome);
    OrchMetrics metrics = ORCH_INIT(OrchMetrics);
    OrchSessionStatus status = ORCH_INIT(OrchSessionStatus);
    OrchServerCounts counts = ORCH_INIT(OrchServerCounts);
    OrchAttachOptions attach = ORCH_INIT(OrchAttachOptions);
    OrchSize window = {.cols = 80, .rows = 24};
    OrchBytes bytes;
    OrchSession *session = (OrchSession *)&window;
    OrchReader *reader = (OrchReader *)&window;
    OrchTimer *timer = (OrchTimer *)&window;
    OrchServer *server = (OrchServer *)&window;
    OrchLink *link = (OrchLink *)&window;
    OrchSubmission *submission = (OrchSubmission *)&window;
    const uint8_t data[1] = {0};
    uint8_t buf[64];
    char text[64];
    size_t len;
    uint64_t number;
    uint16_t stream;

    CHECK(orch_hub_fd(NULL) == -1);
    says(ORCH_NULL, "`hub` is NULL");
    ANSWERS(ORCH_NULL, orch_hub_dispatch(NULL, 0));
    ANSWERS(ORCH_NULL, orch_hub_wait(NULL, 0));
    ANSWERS(ORCH_NULL, orch_hub_now(NULL, &number));
    ANSWERS(ORCH_NULL, orch_hub_advance(NULL, 1));
    ANSWERS(ORCH_NULL, orch_hub_sessions(NULL, &len));
    ANSWERS(ORCH_NULL, orch_hub_next_event(NULL, &event));
    ANSWERS(ORCH_NULL, orch_hub_metrics(NULL, &metrics));
    ANSWERS(ORCH_NULL, orch_hub_metrics_text(NULL, text, sizeof(text), &len));

    ANSWERS(ORCH_NULL, orch_session_spawn(NULL, NULL, &session));
    CHECK(session == NULL);
    ANSWERS(ORCH_NULL, orch_session_peek(NULL, &bytes, &bytes));
    ANSWERS(ORCH_NULL, orch_session_consume(NULL, 0));
    ANSWERS(ORCH_NULL, orch_session_read(NULL, buf, sizeof(buf), &len));
    ANSWERS(ORCH_NULL, orch_session_write(NULL, data, 1, &len));
    ANSWERS(ORCH_NULL, orch_session_write_urgent(NULL, data, 1, &len));
    ANSWERS(ORCH_NULL, orch_session_resize(NULL, 80, 24));
    ANSWERS(ORCH_NULL, orch_session_resize_to(NULL, &window, &number));
    ANSWERS(ORCH_NULL, orch_session_signal(NULL, ORCH_SIGNAL_KILL, ORCH_TARGET_LEADER));
    ANSWERS(ORCH_NULL, orch_session_close(NULL, 0));
    ANSWERS(ORCH_NULL, orch_session_status(NULL, &status));

    ANSWERS(ORCH_NULL, orch_reader_new(NULL, NULL, &reader));
    CHECK(reader == NULL);
    ANSWERS(ORCH_NULL, orch_reader_peek(NULL, &bytes, &bytes));
    ANSWERS(ORCH_NULL, orch_reader_consume(NULL, 0));
    ANSWERS(ORCH_NULL, orch_reader_read(NULL, buf, sizeof(buf), &len));
    ANSWERS(ORCH_NULL, orch_reader_skip(NULL, &number, &number));
    ANSWERS(ORCH_NULL, orch_reader_seek(NULL, 0));
    ANSWERS(ORCH_NULL, orch_reader_offset(NULL, &number));

    ANSWERS(ORCH_NULL, orch_timer_new(NULL, NULL, &timer));
    CHECK(timer == NULL);
    ANSWERS(ORCH_NULL, orch_timer_set(NULL, 1));
    ANSWERS(ORCH_NULL, orch_timer_cancel(NULL));

    ANSWERS(ORCH_NULL, orch_server_new(NULL, NULL, &server));
    CHECK(server == NULL);
    ANSWERS(ORCH_NULL, orch_server_session(NULL, 1, NULL, &session));
    ANSWERS(ORCH_NULL, orch_server_counts(NULL, &counts));
    ANSWERS(ORCH_NULL, orch_server_shut_down(NULL, NULL));
    ANSWERS(ORCH_NULL, orch_server_accept(NULL, "unix", ORCH_FRAMING_STREAM, NULL, &link));
    CHECK(link == NULL);
    ANSWERS(ORCH_NULL, orch_server_submit(NULL, NULL, NULL, &submission));
    CHECK(submission == NULL);

    ANSWERS(ORCH_NULL, orch_link_receive(NULL, data, 1, &len));
    ANSWERS(ORCH_NULL, orch_link_peek(NULL, &bytes));
    ANSWERS(ORCH_NULL, orch_link_consume(NULL, 0));
    ANSWERS(ORCH_NULL, orch_link_lost(NULL));

    ANSWERS(ORCH_NULL, orch_submission_next(NULL, &outcome));
    ANSWERS(ORCH_NULL, orch_submission_cancel(NULL));

    ANSWERS(ORCH_NULL, orch_batch_spawn(NULL, NULL, NULL));
    ANSWERS(ORCH_NULL, orch_batch_input(NULL, 1, data, 1, 0));
    ANSWERS(ORCH_NULL, orch_batch_resize(NULL, 1, 80, 24));
    ANSWERS(ORCH_NULL, orch_batch_signal(NULL, 1, ORCH_SIGNAL_KILL, ORCH_TARGET_LEADER));
    ANSWERS(ORCH_NULL, orch_batch_control(NULL, 1, ORCH_ACT_CLEAR, NULL));
    ANSWERS(ORCH_NULL, orch_batch_close(NULL, 1, 0));
    ANSWERS(ORCH_NULL, orch_batch_query(NULL, 1));
    ANSWERS(ORCH_NULL, orch_batch_host(NULL, "name", data, 1));

    ANSWERS(ORCH_NULL, orch_client_connected(NULL, 0));
    ANSWERS(ORCH_NULL, orch_client_broken(NULL, 0));
    ANSWERS(ORCH_NULL, orch_client_dial(NULL));
    ANSWERS(ORCH_NULL, orch_client_leave(NULL, 0));
    ANSWERS(ORCH_NULL, orch_client_receive(NULL, data, 1, 0));
    ANSWERS(ORCH_NULL, orch_client_peek(NULL, &bytes));
    ANSWERS(ORCH_NULL, orch_client_consume(NULL, 0));
    ANSWERS(ORCH_NULL, orch_client_next_timeout(NULL, &number));
    ANSWERS(ORCH_NULL, orch_client_timeout(NULL, 0));
    ANSWERS(ORCH_NULL, orch_client_next_event(NULL, &client_event));
    ANSWERS(ORCH_NULL, orch_client_next_outcome(NULL, &outcome));
    ANSWERS(ORCH_NULL, orch_client_spawn(NULL, NULL, &stream));
    ANSWERS(ORCH_NULL, orch_client_attach(NULL, &attach, &stream));
    ANSWERS(ORCH_NULL, orch_client_detach(NULL, 1));
    ANSWERS(ORCH_NULL, orch_client_list(NULL, &number));
    ANSWERS(ORCH_NULL, orch_client_ping(NULL, 0));
    ANSWERS(ORCH_NULL, orch_client_close(NULL, 1, 0, &number));
    ANSWERS(ORCH_NULL, orch_client_control(NULL, 1, ORCH_ACT_CLEAR, NULL, &number));
    ANSWERS(ORCH_NULL, orch_client_signal(NULL, 1, ORCH_SIGNAL_KILL, ORCH_TARGET_LEADER, &number));
    ANSWERS(ORCH_NULL, orch_client_resize(NULL, 1, &window, &number));
    ANSWERS(ORCH_NULL, orch_client_submit(NULL, NULL, 0, &number));
    ANSWERS(ORCH_NULL, orch_client_cancel(NULL, 1));
    ANSWERS(ORCH_NULL, orch_client_rendered(NULL, 1, 0));
    ANSWERS(ORCH_NULL, orch_client_write(NULL, 1, data, 1, 0, &number));
}

static void nothing_is_freed_for_null(void)
{
    orch_hub_free(NULL);
    orch_session_free(NULL);
    orch_reader_free(NULL);
    orch_timer_free(NULL);
    orch_server_free(NULL);
    orch_link_free(NULL);
    orch_submission_free(NULL);
    orch_batch_free(NULL);
    orch_client_free(NULL);
}

static void an_output_that_is_null_is_answered_and_nothing_is_made(void)
{
    int before = descriptors();
    ANSWERS(ORCH_NULL, orch_last_error(NULL));
    ANSWERS(ORCH_NULL, orch_hub_new(NULL, NULL));
    OrchHub *hub = new_hub();
    ANSWERS(ORCH_NULL, orch_hub_now(hub, NULL));
    ANSWERS(ORCH_NULL, orch_hub_sessions(hub, NULL));
    ANSWERS(ORCH_NULL, orch_hub_next_event(hub, NULL));
    ANSWERS(ORCH_NULL, orch_hub_metrics(hub, NULL));
    ANSWERS(ORCH_NULL, orch_hub_metrics_text(hub, NULL, 0, NULL));
    ANSWERS(ORCH_NULL, orch_session_spawn(hub, NULL, NULL));
    ANSWERS(ORCH_NULL, orch_timer_new(hub, NULL, NULL));
    ANSWERS(ORCH_NULL, orch_server_new(hub, NULL, NULL));

    OrchServer *server;
    ANSWERS(ORCH_NULL, orch_server_new(hub, NULL, &server));
    OrchServerOptions options = ORCH_INIT(OrchServerOptions);
    ANSWERS(ORCH_NULL, orch_server_new(hub, &options, &server));
    char token[64] = {0}, pass[64] = {0};
    size_t len;
    ANSWERS(ORCH_NULL, orch_token_new(token, sizeof(token), NULL));
    ANSWERS(ORCH_NULL, orch_token_new(NULL, 1, &len));
    OK(orch_token_new(token, sizeof(token), &len));
    ANSWERS(ORCH_NULL, orch_token_pass(NULL, ORCH_ROLE_OWNER, pass, sizeof(pass), &len));
    ANSWERS(ORCH_NULL, orch_token_pass(token, ORCH_ROLE_OWNER, pass, sizeof(pass), NULL));
    OK(orch_token_pass(token, ORCH_ROLE_OWNER, pass, sizeof(pass), &len));
    options.token = token;
    OK(orch_server_new(hub, &options, &server));
    ANSWERS(ORCH_NULL, orch_server_session(server, 1, NULL, NULL));
    ANSWERS(ORCH_NULL, orch_server_counts(server, NULL));
    ANSWERS(ORCH_NULL, orch_server_accept(server, "unix", ORCH_FRAMING_STREAM, NULL, NULL));
    OrchLink *link;
    ANSWERS(ORCH_NULL, orch_server_accept(server, NULL, ORCH_FRAMING_STREAM, NULL, &link));
    CHECK(link == NULL);
    OK(orch_server_accept(server, "unix", ORCH_FRAMING_STREAM, NULL, &link));
    ANSWERS(ORCH_NULL, orch_link_receive(link, NULL, 1, &len));
    ANSWERS(ORCH_NULL, orch_link_receive(link, NULL, 0, NULL));
    ANSWERS(ORCH_NULL, orch_link_peek(link, NULL));

    ANSWERS(ORCH_NULL, orch_batch_new(NULL, NULL));
    OrchBatch *batch;
    OK(orch_batch_new(NULL, &batch));
    ANSWERS(ORCH_NULL, orch_batch_input(batch, 1, NULL, 1, 0));
    ANSWERS(ORCH_NULL, orch_batch_control(batch, 1, ORCH_ACT_TITLE, NULL));
    ANSWERS(ORCH_NULL, orch_batch_host(batch, NULL, NULL, 0));
    OrchSubmission *submission;
    ANSWERS(ORCH_NULL, orch_server_submit(server, batch, NULL, NULL));
    ANSWERS(ORCH_NULL, orch_server_submit(server, NULL, NULL, &submission));
    OK(orch_batch_query(batch, 1));
    OK(orch_server_submit(server, batch, NULL, &submission));
    ANSWERS(ORCH_NULL, orch_submission_next(submission, NULL));

    ANSWERS(ORCH_NULL, orch_client_new(NULL, NULL));
    OrchClient *client;
    ANSWERS(ORCH_NULL, orch_client_new(NULL, &client));
    CHECK(client == NULL);
    OrchClientOptions client_options = ORCH_INIT(OrchClientOptions);
    ANSWERS(ORCH_NULL, orch_client_new(&client_options, &client));
    client_options.pass = pass;
    ANSWERS(ORCH_NULL, orch_client_new(&client_options, &client));
    client_options.authority = "unix";
    OK(orch_client_new(&client_options, &client));
    uint16_t stream;
    ANSWERS(ORCH_NULL, orch_client_receive(client, NULL, 1, 0));
    ANSWERS(ORCH_NULL, orch_client_peek(client, NULL));
    ANSWERS(ORCH_NULL, orch_client_next_event(client, NULL));
    ANSWERS(ORCH_NULL, orch_client_next_outcome(client, NULL));
    ANSWERS(ORCH_NULL, orch_client_spawn(client, NULL, NULL));
    ANSWERS(ORCH_NULL, orch_client_attach(client, NULL, &stream));
    ANSWERS(ORCH_NULL, orch_client_list(client, NULL));
    ANSWERS(ORCH_NULL, orch_client_close(client, 1, 0, NULL));
    ANSWERS(ORCH_NULL, orch_client_control(client, 1, ORCH_ACT_CLEAR, NULL, NULL));
    ANSWERS(ORCH_NULL, orch_client_signal(client, 1, 1, 0, NULL));
    ANSWERS(ORCH_NULL, orch_client_resize(client, 1, NULL, NULL));
    ANSWERS(ORCH_NULL, orch_client_submit(client, batch, 0, NULL));
    ANSWERS(ORCH_NULL, orch_client_write(client, 1, NULL, 1, 0, NULL));
    /* Nothing was asked for: the client still has nothing but its first event. */
    OrchClientEvent event = ORCH_INIT(OrchClientEvent);
    OK(orch_client_next_event(client, &event));
    CHECK(event.kind == ORCH_CLIENT_DIAL);
    ANSWERS(ORCH_AGAIN, orch_client_next_event(client, &event));

    OrchSession *session = spawn_script(hub, "echo hello", NULL);
    ANSWERS(ORCH_NULL, orch_session_peek(session, NULL, NULL));
    ANSWERS(ORCH_NULL, orch_session_read(session, NULL, 1, NULL));
    ANSWERS(ORCH_NULL, orch_session_write(session, NULL, 1, NULL));
    ANSWERS(ORCH_NULL, orch_session_write(session, NULL, 0, NULL));
    ANSWERS(ORCH_NULL, orch_session_write_urgent(session, NULL, 1, NULL));
    ANSWERS(ORCH_NULL, orch_session_resize_to(session, NULL, NULL));
    ANSWERS(ORCH_NULL, orch_session_status(session, NULL));
    ANSWERS(ORCH_NULL, orch_reader_new(session, NULL, NULL));
    OrchReader *reader;
    OK(orch_reader_new(session, NULL, &reader));
    ANSWERS(ORCH_NULL, orch_reader_peek(reader, NULL, NULL));
    ANSWERS(ORCH_NULL, orch_reader_read(reader, NULL, 1, NULL));
    ANSWERS(ORCH_NULL, orch_reader_skip(reader, NULL, NULL));
    ANSWERS(ORCH_NULL, orch_reader_offset(reader, NULL));

    uint8_t buf[64];
    ANSWERS(ORCH_NULL, orch_key_encode(NULL, 0, buf, sizeof(buf), &len));
    ANSWERS(ORCH_NULL, orch_key_encode("up", 0, NULL, 1, &len));
    ANSWERS(ORCH_NULL, orch_key_encode("up", 0, buf, sizeof(buf), NULL));
    ANSWERS(ORCH_NULL, orch_paste_encode(NULL, 1, 0, buf, sizeof(buf), &len, NULL));
    ANSWERS(ORCH_NULL, orch_paste_encode(NULL, 0, 0, buf, sizeof(buf), NULL, NULL));
    ANSWERS(ORCH_NULL, orch_input_check(NULL, 1, 0, 0));

    orch_reader_free(reader);
    orch_session_free(session);
    orch_client_free(client);
    orch_submission_free(submission);
    orch_batch_free(batch);
    orch_link_free(link);
    orch_server_free(server);
    orch_hub_free(hub);
    CHECK(descriptors() == before);
    CHECK(strcmp(orch_version(), ORCH_VERSION) == 0);
    CHECK(strcmp(orch_status_name(ORCH_TOO_NEW), "ORCH_TOO_NEW") == 0);
    CHECK(strcmp(orch_status_name(12345), "ORCH_UNKNOWN") == 0);
}

static const Test tests[] = {
    TEST(a_handle_that_is_null_is_answered),
    TEST(nothing_is_freed_for_null),
    TEST(an_output_that_is_null_is_answered_and_nothing_is_made),
};
RUN(tests)
