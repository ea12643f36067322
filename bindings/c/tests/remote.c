/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A server and a client in one process, with nothing but memory between them: what a host's own transport would carry. */
#include <time.h>

#include "play.h"

/* Both ends, and the way between them. */
typedef struct {
    OrchHub *hub;
    OrchServer *server;
    OrchLink *link; /* NULL while there is no way. */
    OrchClient *client;
    char token[64], pass[64];
    uint32_t framing;
    bool over; /* The server has ended with the link. */
    size_t sip; /* What the way carries at a time, in bytes; 0: as much as there is. */
    char code[32];
    /* What the client was told. */
    bool welcome, exited, detached, refused;
    uint32_t past;
    uint16_t stream;
    uint64_t session, offset, settled, sessions_told, results_number;
    int exit_code;
    char *text;
    size_t len;
    char title[64], why[64];
    int outcomes[8], outcome_count;
    uint64_t outcome_session;
} World;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void dial(World *world)
{
    OK(orch_server_accept(world->server, "unix", world->framing, world, &world->link));
    OK(orch_client_connected(world->client, now_ns()));
}

static void cut(World *world)
{
    orch_link_free(world->link);
    world->link = NULL;
    OK(orch_client_broken(world->client, now_ns()));
    OK(orch_client_dial(world->client)); /* Not after a while, as it would by itself. */
}

static void copy(char *to, size_t room, OrchBytes from)
{
    CHECK(from.len < room);
    memcpy(to, from.data, from.len);
    to[from.len] = 0;
}

static void told(World *world, const OrchClientEvent *event)
{
    switch (event->kind) {
    case ORCH_CLIENT_WELCOME:
        world->welcome = true;
        world->past = event->past;
        break;
    case ORCH_CLIENT_SPAWNED:
    case ORCH_CLIENT_ATTACHED:
        CHECK(event->stream == world->stream);
        world->session = event->session;
        break;
    case ORCH_CLIENT_OUTPUT:
        CHECK(event->from == world->offset && event->to == event->from + event->data.len);
        world->text = (char *)realloc(world->text, world->len + event->data.len + 1);
        memcpy(world->text + world->len, event->data.data, event->data.len);
        world->len += event->data.len;
        world->text[world->len] = 0;
        world->offset = event->to;
        OK(orch_client_rendered(world->client, event->stream, event->to));
        break;
    case ORCH_CLIENT_EXIT:
        world->exited = true;
        world->exit_code = event->exit_code;
        break;
    case ORCH_CLIENT_SETTLED:
        world->settled = event->to;
        break;
    case ORCH_CLIENT_SESSIONS:
        world->sessions_told = event->sessions_len;
        if (event->sessions_len > 0)
            copy(world->title, sizeof(world->title), event->sessions[0].title);
        break;
    case ORCH_CLIENT_LOST:
        copy(world->why, sizeof(world->why), event->code);
        break;
    case ORCH_CLIENT_REFUSED:
        world->refused = true;
        copy(world->why, sizeof(world->why), event->code);
        break;
    case ORCH_CLIENT_DETACHED:
        world->detached = true;
        break;
    case ORCH_CLIENT_RESULTS: {
        world->results_number = event->number;
        OrchOutcome outcome = ORCH_INIT(OrchOutcome);
        while (orch_client_next_outcome(world->client, &outcome) == ORCH_OK) {
            CHECK(outcome.at < 8);
            world->outcomes[outcome.at] = (int)outcome.kind + 1;
            world->outcome_count++;
            if (outcome.kind == ORCH_OUTCOME_SPAWNED)
                world->outcome_session = outcome.session;
            if (outcome.kind == ORCH_OUTCOME_SESSION)
                copy(world->title, sizeof(world->title), outcome.info->title);
            if (outcome.kind == ORCH_OUTCOME_REFUSED)
                copy(world->why, sizeof(world->why), outcome.code);
        }
        break;
    }
    default:
        break;
    }
}

/* Carries bytes both ways, and takes events of both, once. */
static void carry(World *world)
{
    OrchBytes bytes;
    while (orch_client_peek(world->client, &bytes) == ORCH_OK) {
        size_t taken = bytes.len;
        if (world->link != NULL && orch_link_receive(world->link, bytes.data, bytes.len, &taken) != ORCH_OK)
            taken = bytes.len; /* A link that is over hears nothing. */
        OK(orch_client_consume(world->client, taken));
    }
    CHECK(orch_hub_dispatch(world->hub, 0) >= 0);
    OrchEvent event = ORCH_INIT(OrchEvent);
    while (orch_hub_next_event(world->hub, &event) == ORCH_OK)
        if (event.kind == ORCH_EVENT_LINK_OVER && event.link == world->link) {
            world->over = true;
            copy(world->code, sizeof(world->code), event.code);
        }
    while (world->link != NULL && orch_link_peek(world->link, &bytes) == ORCH_OK) {
        size_t len = world->sip > 0 && world->sip < bytes.len ? world->sip : bytes.len;
        OK(orch_client_receive(world->client, bytes.data, len, now_ns()));
        OK(orch_link_consume(world->link, len));
        if (world->sip > 0)
            break;
    }
    uint64_t due;
    if (orch_client_next_timeout(world->client, &due) == ORCH_OK && due <= now_ns())
        OK(orch_client_timeout(world->client, now_ns()));
    OrchClientEvent client_event = ORCH_INIT(OrchClientEvent);
    while (orch_client_next_event(world->client, &client_event) == ORCH_OK)
        if (client_event.kind == ORCH_CLIENT_DIAL)
            dial(world);
        else
            told(world, &client_event);
}

#define UNTIL(world, condition)                                     \
    while (!(condition)) {                                          \
        carry(world);                                               \
        if (!(condition))                                           \
            orch_hub_wait((world)->hub, 2 * 1000 * 1000);           \
    }

/* What the next world's hub is like. */
static uint32_t hub_flags;

static World new_world(uint32_t framing, uint32_t role)
{
    World world = {.framing = framing};
    OrchHubOptions hub_options = ORCH_INIT(OrchHubOptions);
    hub_options.flags = hub_flags;
    OK(orch_hub_new(&hub_options, &world.hub));
    size_t len;
    OK(orch_token_new(world.token, sizeof(world.token), &len));
    OK(orch_token_pass(world.token, role, world.pass, sizeof(world.pass), &len));
    OrchServerOptions options = ORCH_INIT(OrchServerOptions);
    options.token = world.token;
    OK(orch_server_new(world.hub, &options, &world.server));
    OrchClientOptions client = ORCH_INIT(OrchClientOptions);
    client.pass = world.pass;
    client.authority = "unix";
    client.framing = framing;
    client.name = "a test";
    OK(orch_client_new(&client, &world.client));
    return world;
}

static void end_world(World *world)
{
    orch_link_free(world->link);
    orch_client_free(world->client);
    orch_server_free(world->server);
    orch_hub_free(world->hub);
    free(world->text);
}

static void spawn_remote(World *world, const char *script)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argv;
    options.window.cols = 100;
    options.window.rows = 30;
    OK(orch_client_spawn(world->client, &options, &world->stream));
}

static void a_client_runs_a_program_at_a_server(void)
{
    int before = descriptors();
    for (int at = 0; at < 4; at++) {
        uint32_t framing = at & 1 ? ORCH_FRAMING_MESSAGES : ORCH_FRAMING_STREAM;
        hub_flags = at & 2 ? ORCH_HUB_THREADED : ORCH_HUB_HOSTED;
        World world = new_world(framing, ORCH_ROLE_OWNER);
        spawn_remote(&world, "stty size; read line; echo \"got $line\"; exit 6");
        UNTIL(&world, world.text != NULL && strstr(world.text, "30 100") != NULL);
        CHECK(world.welcome && world.past == ORCH_PAST_NONE);
        uint64_t sequence;
        OK(orch_client_write(world.client, world.stream, (const uint8_t *)"hello\n", 6, 0, &sequence));
        UNTIL(&world, world.exited);
        CHECK(world.exit_code == 6 && strstr(world.text, "got hello") != NULL && world.settled == sequence);
        OrchServerCounts counts = ORCH_INIT(OrchServerCounts);
        OK(orch_server_counts(world.server, &counts));
        CHECK(counts.links == 1 && counts.clients == 1 && counts.sessions == 1);
        end_world(&world);
    }
    hub_flags = ORCH_HUB_HOSTED;
    CHECK(descriptors() == before);
}

static void a_link_that_is_cut_again_and_again_loses_nothing(void)
{
    World world = new_world(ORCH_FRAMING_STREAM, ORCH_ROLE_OWNER);
    spawn_remote(&world, "stty raw -echo; echo ready; head -c 6000; seq -f '%015.0f;' -s '' 0 62499; exit 1");
    UNTIL(&world, world.text != NULL && strstr(world.text, "ready") != NULL);
    uint64_t sequence = 0;
    for (int at = 0; at < 1000; at++) {
        OK(orch_client_write(world.client, world.stream, (const uint8_t *)"abcdef", 6, 0, &sequence));
        if (at % 100 == 50 && world.link != NULL)
            cut(&world);
        carry(&world);
    }
    int cuts = 0;
    size_t seen = 0;
    while (!world.exited) {
        carry(&world);
        if (world.link != NULL && cuts < 10 && world.len > seen + 50000) {
            seen = world.len;
            cut(&world);
            cuts++;
        }
        orch_hub_wait(world.hub, 2 * 1000 * 1000);
    }
    const char *typed = strstr(world.text, "ready") + strlen("ready\n");
    CHECK(world.len == (size_t)(typed - world.text) + 6000 + 1000 * 1000 + 1);
    for (int at = 0; at < 6000; at++)
        CHECK(typed[at] == "abcdef"[at % 6]);
    for (int cell = 0; cell < 62500; cell++) {
        char expected[32];
        snprintf(expected, sizeof(expected), "%015d;", cell);
        CHECK(memcmp(typed + 6000 + 16 * cell, expected, 16) == 0);
    }
    CHECK(world.settled == sequence && cuts > 3);
    end_world(&world);
}

static void somebody_with_another_token_stays_out(void)
{
    World world = new_world(ORCH_FRAMING_STREAM, ORCH_ROLE_OWNER);
    char other[64] = {0}, pass[64] = {0};
    size_t len;
    OK(orch_token_new(other, sizeof(other), &len));
    OK(orch_token_pass(other, ORCH_ROLE_OWNER, pass, sizeof(pass), &len));
    orch_client_free(world.client);
    OrchClientOptions options = ORCH_INIT(OrchClientOptions);
    options.pass = pass;
    options.authority = "unix";
    OK(orch_client_new(&options, &world.client));
    UNTIL(&world, world.why[0] != 0);
    CHECK(strcmp(world.why, "impostor") == 0 && !world.welcome);
    end_world(&world);
}

static void a_viewer_only_watches(void)
{
    World world = new_world(ORCH_FRAMING_STREAM, ORCH_ROLE_VIEWER);
    spawn_remote(&world, "echo no");
    UNTIL(&world, world.refused);
    CHECK(strcmp(world.why, "forbidden") == 0);
    end_world(&world);
}

static void garbage_ends_its_link_alone(void)
{
    World world = new_world(ORCH_FRAMING_STREAM, ORCH_ROLE_OWNER);
    spawn_remote(&world, "echo ready; sleep 100");
    UNTIL(&world, world.text != NULL);
    OrchLink *stranger;
    OK(orch_server_accept(world.server, "unix", ORCH_FRAMING_STREAM, NULL, &stranger));
    uint8_t garbage[4096];
    memset(garbage, 0xff, sizeof(garbage));
    size_t taken;
    OK(orch_link_receive(stranger, garbage, sizeof(garbage), &taken));
    OrchEvent event = ORCH_INIT(OrchEvent);
    while (event.kind != ORCH_EVENT_LINK_OVER) {
        orch_hub_wait(world.hub, -1);
        orch_hub_next_event(world.hub, &event);
    }
    CHECK(event.link == stranger && event.code.len == 9 && memcmp(event.code.data, "malformed", 9) == 0);
    OrchBytes goodbye;
    OK(orch_link_peek(stranger, &goodbye)); /* It is told why. */
    OK(orch_link_consume(stranger, goodbye.len));
    ANSWERS(ORCH_EOF, orch_link_peek(stranger, &goodbye));
    ANSWERS(ORCH_CLOSED, orch_link_receive(stranger, garbage, 1, &taken));
    orch_link_free(stranger);
    CHECK(!world.over);

    OrchLink *talker; /* Messages that are longer than a stranger's may be. */
    OK(orch_server_accept(world.server, "unix", ORCH_FRAMING_MESSAGES, NULL, &talker));
    static uint8_t message[8192];
    ANSWERS(ORCH_INVALID, orch_link_receive(talker, message, sizeof(message), &taken));
    orch_link_free(talker);
    end_world(&world);
}

static void a_host_that_does_not_dispatch_is_not_filled_up(void)
{
    World world = new_world(ORCH_FRAMING_STREAM, ORCH_ROLE_OWNER);
    OrchLink *link;
    OK(orch_server_accept(world.server, "unix", ORCH_FRAMING_STREAM, NULL, &link));
    static uint8_t data[64 * 1024];
    size_t taken, all = 0;
    OrchStatus status;
    while ((status = orch_link_receive(link, data, sizeof(data), &taken)) == ORCH_OK)
        all += taken;
    CHECK(status == ORCH_AGAIN && all == 256 * 1024);
    orch_link_free(link);
    OK(orch_server_accept(world.server, "unix", ORCH_FRAMING_MESSAGES, NULL, &link));
    for (all = 0; (status = orch_link_receive(link, data, 1, &taken)) == ORCH_OK; all++)
        OK(orch_link_receive(link, NULL, 0, &taken)); /* Which takes no room. */
    CHECK(status == ORCH_AGAIN && all == 1024);
    orch_link_free(link);
    end_world(&world);
}

static void a_way_that_carries_little_at_a_time_carries_all(void)
{
    World world = new_world(ORCH_FRAMING_STREAM, ORCH_ROLE_OWNER);
    spawn_remote(&world, "stty raw; head -c 2000000 /dev/zero | tr '\\0' x; exit 2");
    UNTIL(&world, world.len > 0);
    world.sip = 1; /* The server fills its end of the way, and waits. */
    for (int at = 0; at < 300; at++) {
        carry(&world);
        orch_hub_wait(world.hub, 100 * 1000);
    }
    world.sip = 30000;
    UNTIL(&world, world.exited);
    CHECK(world.len == 2000000 && world.exit_code == 2);
    for (size_t at = 0; at < world.len; at++)
        CHECK(world.text[at] == 'x');
    end_world(&world);
}

static void operations_are_carried_out_for_a_client(void)
{
    World world = new_world(ORCH_FRAMING_MESSAGES, ORCH_ROLE_OWNER);
    OrchBatch *batch;
    OK(orch_batch_new(NULL, &batch));
    const char *const argv[] = {"/bin/sh", "-c", "read line; exit 4", NULL};
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argv;
    OK(orch_batch_spawn(batch, &options, "first"));
    OK(orch_batch_query(batch, 99));
    uint64_t number;
    OK(orch_client_submit(world.client, batch, now_ns(), &number));
    orch_batch_free(batch);
    UNTIL(&world, world.outcome_count == 2);
    CHECK(world.results_number == number && world.outcomes[0] == ORCH_OUTCOME_SPAWNED + 1);
    CHECK(world.outcomes[1] == ORCH_OUTCOME_REFUSED + 1 && strcmp(world.why, "no_session") == 0);

    OrchBatchOptions ordered = ORCH_INIT(OrchBatchOptions);
    ordered.mode = ORCH_BATCH_STOP_ON_ERROR;
    ordered.class_ = ORCH_CLASS_INTERACTIVE;
    ordered.within_ms = 10000;
    ordered.key = "one";
    OK(orch_batch_new(&ordered, &batch));
    OK(orch_batch_control(batch, world.outcome_session, ORCH_ACT_TITLE, "second"));
    OK(orch_batch_resize(batch, world.outcome_session, 120, 40));
    OK(orch_batch_query(batch, world.outcome_session));
    OK(orch_batch_input(batch, world.outcome_session, (const uint8_t *)"x\n", 2, 0));
    world.outcome_count = 0;
    OK(orch_client_submit(world.client, batch, now_ns(), &number));
    UNTIL(&world, world.outcome_count == 4);
    CHECK(world.outcomes[2] == ORCH_OUTCOME_SESSION + 1 && strcmp(world.title, "second") == 0);
    orch_batch_free(batch);

    OK(orch_client_list(world.client, &number));
    UNTIL(&world, world.sessions_told == 1);
    CHECK(strcmp(world.title, "second") == 0);
    OrchAttachOptions attach = ORCH_INIT(OrchAttachOptions);
    attach.session = world.outcome_session;
    OK(orch_client_attach(world.client, &attach, &world.stream));
    ANSWERS(ORCH_INVALID, orch_client_attach(world.client, &attach, &(uint16_t){0}));
    UNTIL(&world, world.exited);
    CHECK(world.exit_code == 4);
    end_world(&world);
}

static void operations_are_carried_out_within_the_process(void)
{
    World world = new_world(ORCH_FRAMING_STREAM, ORCH_ROLE_OWNER);
    OrchBatch *batch;
    OK(orch_batch_new(NULL, &batch));
    const char *const argv[] = {"/bin/sh", "-c", "read line; echo \"got $line\"; exit 4", NULL};
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argv;
    OK(orch_batch_spawn(batch, &options, "mine"));
    OrchSubmission *submission;
    int mine;
    OK(orch_server_submit(world.server, batch, &mine, &submission));
    orch_batch_free(batch);
    OrchEvent event = ORCH_INIT(OrchEvent);
    while (event.kind != ORCH_EVENT_RESULTS) {
        OK(orch_hub_wait(world.hub, -1));
        orch_hub_next_event(world.hub, &event);
    }
    CHECK(event.submission == submission && event.user_data == &mine);
    OrchOutcome outcome = ORCH_INIT(OrchOutcome);
    OK(orch_submission_next(submission, &outcome));
    CHECK(outcome.kind == ORCH_OUTCOME_SPAWNED && outcome.at == 0 && outcome.pid > 0);
    OrchStatus status;
    while ((status = orch_submission_next(submission, &outcome)) == ORCH_AGAIN)
        orch_hub_wait(world.hub, 1000 * 1000);
    CHECK(status == ORCH_EOF);
    orch_submission_free(submission);

    Heard heard = {0};
    OrchSession *none;
    ANSWERS(ORCH_NOT_FOUND, orch_server_session(world.server, 12345, NULL, &none));
    OK(orch_server_session(world.server, outcome.session, &heard, &heard.session));
    type_text(heard.session, "it\n");
    until_exit(world.hub, &heard);
    CHECK(strstr(heard.text, "got it") != NULL && heard.exit.exit_code == 4);
    orch_session_free(heard.session);
    free(heard.text);

    OK(orch_batch_new(NULL, &batch));
    ANSWERS(ORCH_INVALID, orch_server_submit(world.server, batch, NULL, &submission)); /* It is empty. */
    CHECK(submission == NULL);
    orch_batch_free(batch);
    end_world(&world);
}

static void a_server_that_ends_tells_its_clients(void)
{
    World world = new_world(ORCH_FRAMING_STREAM, ORCH_ROLE_OWNER);
    spawn_remote(&world, "echo ready; sleep 100");
    UNTIL(&world, world.text != NULL);
    OK(orch_server_shut_down(world.server, "maintenance"));
    UNTIL(&world, world.why[0] != 0);
    CHECK(strcmp(world.why, "shutting_down") == 0);
    end_world(&world);
}

static void a_hub_that_goes_first_leaves_links_that_are_over(void)
{
    int before = descriptors();
    for (uint32_t flags = 0; flags <= ORCH_HUB_THREADED; flags++) {
        OrchHubOptions hub_options = ORCH_INIT(OrchHubOptions);
        hub_options.flags = flags;
        OrchHub *hub;
        OK(orch_hub_new(&hub_options, &hub));
        char token[64] = {0};
        size_t len;
        OK(orch_token_new(token, sizeof(token), &len));
        OrchServerOptions options = ORCH_INIT(OrchServerOptions);
        options.token = token;
        OrchServer *server;
        OK(orch_server_new(hub, &options, &server));
        OrchLink *link;
        OK(orch_server_accept(server, "unix", ORCH_FRAMING_STREAM, NULL, &link));
        OrchBatch *batch;
        OK(orch_batch_new(NULL, &batch));
        OK(orch_batch_query(batch, 1));
        OrchSubmission *submission;
        OK(orch_server_submit(server, batch, NULL, &submission));
        orch_hub_free(hub);
        OrchBytes bytes;
        ANSWERS(ORCH_EOF, orch_link_peek(link, &bytes));
        size_t taken;
        ANSWERS(ORCH_CLOSED, orch_link_receive(link, (const uint8_t *)"x", 1, &taken));
        OrchLink *another;
        ANSWERS(ORCH_CLOSED, orch_server_accept(server, "unix", ORCH_FRAMING_STREAM, NULL, &another));
        CHECK(another == NULL);
        OrchSubmission *more;
        ANSWERS(ORCH_CLOSED, orch_server_submit(server, batch, NULL, &more));
        OrchOutcome outcome = ORCH_INIT(OrchOutcome);
        OrchStatus status;
        while ((status = orch_submission_next(submission, &outcome)) == ORCH_OK)
            ;
        CHECK(status == ORCH_EOF);
        orch_batch_free(batch);
        orch_submission_free(submission);
        orch_link_free(link);
        orch_server_free(server);
    }
    CHECK(descriptors() == before);
}

static const Test tests[] = {
    TEST(a_client_runs_a_program_at_a_server),
    TEST(a_link_that_is_cut_again_and_again_loses_nothing),
    TEST(somebody_with_another_token_stays_out),
    TEST(a_viewer_only_watches),
    TEST(garbage_ends_its_link_alone),
    TEST(a_host_that_does_not_dispatch_is_not_filled_up),
    TEST(a_way_that_carries_little_at_a_time_carries_all),
    TEST(operations_are_carried_out_for_a_client),
    TEST(operations_are_carried_out_within_the_process),
    TEST(a_server_that_ends_tells_its_clients),
    TEST(a_hub_that_goes_first_leaves_links_that_are_over),
};
RUN(tests)
