/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reading: what is lent, what is missed, and who is waited for. */
#include "play.h"

/* The byte at `offset` of what the flood says: cells of 15 digits and a semicolon that count themselves. */
static char flood_byte(uint64_t offset)
{
    uint64_t cell = offset / 16, column = offset % 16;
    if (column == 15)
        return ';';
    for (uint64_t place = column; place < 14; place++)
        cell /= 10;
    return (char)('0' + cell % 10);
}

#define FLOOD "stty raw; seq -f '%015.0f;' -s '' 0 199999 | head -c "

static void is_flood(OrchBytes bytes, uint64_t offset)
{
    for (size_t at = 0; at < bytes.len; at++)
        CHECK((char)bytes.data[at] == flood_byte(offset + at));
}

static void what_lies_behind_an_edge_of_the_log_is_shown_too(void)
{
    OrchHub *hub = new_hub();
    OrchSession *session = spawn_script(hub, FLOOD "400000", NULL);
    OrchSessionStatus status = ORCH_INIT(OrchSessionStatus);
    while (status.output_end < 200 * 1000) {
        OK(orch_hub_wait(hub, -1));
        OrchEvent event = ORCH_INIT(OrchEvent);
        while (orch_hub_next_event(hub, &event) == ORCH_OK)
            ;
        OK(orch_session_status(session, &status));
    }
    uint64_t offset = 0;
    int seconds = 0;
    OrchStatus answered;
    OrchBytes first, second, again;
    while ((answered = orch_session_peek(session, &first, &second)) != ORCH_EOF) {
        if (answered == ORCH_AGAIN) {
            orch_hub_wait(hub, -1);
            OrchEvent event = ORCH_INIT(OrchEvent);
            while (orch_hub_next_event(hub, &event) == ORCH_OK)
                ;
            continue;
        }
        CHECK(answered == ORCH_OK && first.len > 0);
        is_flood(first, offset);
        is_flood(second, offset + first.len);
        OK(orch_session_peek(session, &again, NULL)); /* Looking does not take. */
        CHECK(again.data == first.data && again.len >= first.len);
        seconds += second.len > 0;
        /* Past the edge, so that the next peek begins in the middle of the second stretch. */
        size_t taken = first.len + second.len / 2;
        OK(orch_session_consume(session, taken));
        ANSWERS(ORCH_INVALID, orch_session_consume(session, 1));
        offset += taken;
    }
    CHECK(offset == 400 * 1000 && seconds > 0);
    orch_session_free(session);
    orch_hub_free(hub);
}

static void a_host_that_takes_a_byte_at_a_time_is_told_again_and_again(void)
{
    OrchHub *hub = new_hub();
    OrchSession *session = spawn_script(hub, "stty raw; printf 0123456789", NULL);
    char text[16] = {0};
    size_t len = 0;
    bool exited = false;
    while (len < 10 || !exited) {
        struct pollfd watched = {.fd = orch_hub_fd(hub), .events = POLLIN};
        CHECK(poll(&watched, 1, 60 * 1000) == 1);
        OrchStatus status = orch_hub_dispatch(hub, 1);
        CHECK(status == ORCH_OK || status == ORCH_MORE);
        OrchEvent event = ORCH_INIT(OrchEvent);
        if (orch_hub_next_event(hub, &event) != ORCH_OK)
            continue; /* At most one event a turn. */
        exited |= event.kind == ORCH_EVENT_EXIT;
        OrchBytes first;
        if (event.kind == ORCH_EVENT_OUTPUT && orch_session_peek(session, &first, NULL) == ORCH_OK) {
            text[len++] = (char)first.data[0];
            OK(orch_session_consume(session, 1));
        }
    }
    CHECK(strcmp(text, "0123456789") == 0);
    orch_session_free(session);
    orch_hub_free(hub);
}

static void a_copy_is_as_good_as_a_loan(void)
{
    OrchHub *hub = new_hub();
    OrchSession *session = spawn_script(hub, FLOOD "300000", NULL);
    uint64_t offset = 0;
    OrchStatus status;
    uint8_t buf[777];
    size_t len;
    while ((status = orch_session_read(session, buf, sizeof(buf), &len)) != ORCH_EOF) {
        is_flood((OrchBytes){buf, len}, offset);
        offset += len;
        if (status == ORCH_AGAIN) {
            CHECK(len == 0);
            orch_hub_wait(hub, -1);
            OrchEvent event = ORCH_INIT(OrchEvent);
            while (orch_hub_next_event(hub, &event) == ORCH_OK)
                ;
        }
    }
    CHECK(offset == 300 * 1000 && len == 0);
    orch_session_free(session);
    orch_hub_free(hub);
}

static void a_lossy_reader_is_told_each_gap(void)
{
    OrchHub *hub = new_hub();
    const char *const argv[] = {"/bin/sh", "-c", FLOOD "3000000", NULL};
    OrchSpawnOptions options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argv;
    options.history_bytes = 256 * 1024;
    options.queue_bytes = 64 * 1024;
    Heard heard = {0};
    options.user_data = &heard;
    OK(orch_session_spawn(hub, &options, &heard.session));
    OrchReaderOptions lossy = ORCH_INIT(OrchReaderOptions);
    lossy.mode = ORCH_READER_LOSSY;
    OrchReader *reader;
    OK(orch_reader_new(heard.session, &lossy, &reader));
    until_exit(hub, &heard);
    CHECK(heard.len == 3 * 1000 * 1000);
    uint64_t offset = 0, missed = 0, from, to;
    OrchBytes first, second;
    OrchStatus status;
    while ((status = orch_reader_peek(reader, &first, &second)) != ORCH_EOF) {
        if (status == ORCH_GAP) {
            OK(orch_reader_skip(reader, &from, &to));
            CHECK(from == offset && to > from);
            missed += to - from;
            offset = to;
            ANSWERS(ORCH_AGAIN, orch_reader_skip(reader, &from, &to));
            continue;
        }
        CHECK(status == ORCH_OK);
        is_flood(first, offset);
        is_flood(second, offset + first.len);
        offset += first.len + second.len;
        OK(orch_reader_consume(reader, first.len + second.len));
    }
    CHECK(offset == 3 * 1000 * 1000 && missed > 2 * 1000 * 1000);
    uint64_t at;
    OK(orch_reader_seek(reader, offset - 100));
    OK(orch_reader_offset(reader, &at));
    CHECK(at == offset - 100);
    OK(orch_reader_peek(reader, &first, &second));
    is_flood(first, at);
    CHECK(first.len + second.len == 100);
    orch_reader_free(reader);
    orch_session_free(heard.session);
    orch_hub_free(hub);
    free(heard.text);
}

static void a_reader_keeps_its_session_and_has_events_of_its_own(void)
{
    OrchHub *hub = new_hub();
    int mine = 0, others = 0;
    OrchSession *session = spawn_script(hub, "echo before; read line; echo after", &others);
    OrchReaderOptions options = ORCH_INIT(OrchReaderOptions);
    options.user_data = &mine;
    OrchReader *reader;
    OK(orch_reader_new(session, &options, &reader));
    type_text(session, "\n");
    orch_session_free(session);
    char text[256] = {0};
    size_t len = 0;
    OrchStatus status = ORCH_AGAIN;
    while (status != ORCH_EOF) {
        OK(orch_hub_wait(hub, -1));
        OrchEvent event = ORCH_INIT(OrchEvent);
        while (orch_hub_next_event(hub, &event) == ORCH_OK) {
            CHECK(event.user_data == &mine && event.reader == reader && event.session == NULL && event.kind == ORCH_EVENT_OUTPUT);
            mine++;
            size_t more;
            while ((status = orch_reader_read(reader, (uint8_t *)text + len, sizeof(text) - 1 - len, &more)) == ORCH_OK)
                len += more;
        }
    }
    CHECK(mine > 0 && strstr(text, "before") != NULL && strstr(text, "after") != NULL);
    orch_reader_free(reader);
    orch_hub_free(hub);
}

static const Test tests[] = {
    TEST(what_lies_behind_an_edge_of_the_log_is_shown_too),
    TEST(a_host_that_takes_a_byte_at_a_time_is_told_again_and_again),
    TEST(a_copy_is_as_good_as_a_loan),
    TEST(a_lossy_reader_is_told_each_gap),
    TEST(a_reader_keeps_its_session_and_has_events_of_its_own),
};
RUN(tests)
