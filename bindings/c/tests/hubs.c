/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Hubs: their descriptor, timers and threads, and the order in which things are freed. */
#include <pthread.h>
#include <stdatomic.h>

#include "play.h"

static bool is_readable(OrchHub *hub)
{
    struct pollfd watched = {.fd = orch_hub_fd(hub), .events = POLLIN};
    return poll(&watched, 1, 0) == 1;
}

static void the_descriptor_is_silent_while_nothing_happens(void)
{
    OrchHub *hub = new_hub();
    CHECK(!is_readable(hub));
    Heard heard = {0};
    heard.session = spawn_script(hub, "echo ready; sleep 100", &heard);
    until_text(hub, &heard, "ready");
    if (has_pidfds()) {
        CHECK(!is_readable(hub));
        ANSWERS(ORCH_OK, orch_hub_dispatch(hub, 0));
        ANSWERS(ORCH_TIMED_OUT, orch_hub_wait(hub, 1000 * 1000));
    }
    size_t sessions;
    OK(orch_hub_sessions(hub, &sessions));
    CHECK(sessions == 1);
    orch_session_free(heard.session);
    orch_hub_free(hub);
    free(heard.text);
}

static void the_descriptor_stays_readable_until_events_are_taken(void)
{
    OrchHub *hub = new_hub();
    OrchTimer *timer;
    int mine;
    OK(orch_timer_new(hub, &mine, &timer));
    OK(orch_timer_set(timer, 0));
    for (int at = 0; at < 3; at++) {
        OrchStatus status = orch_hub_dispatch(hub, 0);
        CHECK(status >= 0 && is_readable(hub));
    }
    OrchEvent event = ORCH_INIT(OrchEvent);
    OK(orch_hub_next_event(hub, &event));
    CHECK(event.kind == ORCH_EVENT_TIMER && event.timer == timer && event.user_data == &mine);
    ANSWERS(ORCH_AGAIN, orch_hub_next_event(hub, &event));
    OK(orch_hub_dispatch(hub, 0));
    CHECK(!is_readable(hub));
    orch_timer_free(timer);
    orch_hub_free(hub);
}

static void timers_follow_the_hub_s_clock(void)
{
    OrchHubOptions options = ORCH_INIT(OrchHubOptions);
    options.flags = ORCH_HUB_MANUAL_CLOCK;
    OrchHub *hub;
    OK(orch_hub_new(&options, &hub));
    OrchTimer *first, *second;
    OK(orch_timer_new(hub, NULL, &first));
    OK(orch_timer_new(hub, NULL, &second));
    OK(orch_timer_set(first, 3600ull * 1000 * 1000 * 1000));
    OK(orch_timer_set(second, 1));
    OK(orch_timer_cancel(second));
    uint64_t now;
    OK(orch_hub_now(hub, &now));
    CHECK(now == 0);
    OrchEvent event = ORCH_INIT(OrchEvent);
    OK(orch_hub_advance(hub, 3599ull * 1000 * 1000 * 1000));
    CHECK(orch_hub_dispatch(hub, 0) >= 0);
    ANSWERS(ORCH_AGAIN, orch_hub_next_event(hub, &event));
    OK(orch_hub_advance(hub, 1ull * 1000 * 1000 * 1000));
    CHECK(orch_hub_dispatch(hub, 0) >= 0);
    OK(orch_hub_next_event(hub, &event));
    CHECK(event.timer == first);
    ANSWERS(ORCH_AGAIN, orch_hub_next_event(hub, &event));
    orch_hub_free(hub); /* Before its timers. */
    ANSWERS(ORCH_CLOSED, orch_timer_set(first, 1));
    OK(orch_timer_cancel(first));
    orch_timer_free(first);
    orch_timer_free(second);
}

static void what_was_made_of_a_hub_outlives_it(void)
{
    int before = descriptors();
    OrchHub *hub = new_hub();
    Heard heard = {0};
    heard.session = spawn_script(hub, "echo ready; sleep 100", &heard);
    until_text(hub, &heard, "ready");
    OrchReader *reader;
    OK(orch_reader_new(heard.session, NULL, &reader));
    orch_hub_free(hub);
    OrchBytes first;
    size_t taken;
    OK(orch_reader_peek(reader, &first, NULL));
    CHECK(first.len == 7 && memcmp(first.data, "ready\r\n", 7) == 0);
    OK(orch_reader_consume(reader, first.len));
    ANSWERS(ORCH_CLOSED, orch_session_write(heard.session, (const uint8_t *)"x", 1, &taken));
    ANSWERS(ORCH_CLOSED, orch_session_resize(heard.session, 80, 24));
    OK(orch_session_close(heard.session, 0));
    OrchSessionStatus status = ORCH_INIT(OrchSessionStatus);
    OK(orch_session_status(heard.session, &status));
    orch_session_free(heard.session);
    orch_reader_free(reader);
    CHECK(descriptors() == before);
    free(heard.text);
}

static atomic_int woken, dropped;

static void count_up(void *user_data)
{
    atomic_fetch_add((atomic_int *)user_data, 1);
}

static void a_threaded_hub_wakes_its_host(void)
{
    int before = descriptors();
    woken = dropped = 0;
    OrchHubOptions options = ORCH_INIT(OrchHubOptions);
    options.wake = count_up;
    options.wake_data = &woken;
    options.wake_drop = NULL;
    OrchHub *hub;
    ANSWERS(ORCH_INVALID, orch_hub_new(&options, &hub)); /* Hosted hubs do not wake. */
    options.flags = ORCH_HUB_THREADED;
    OK(orch_hub_new(&options, &hub));
    Heard heard = {0};
    heard.session = spawn_script(hub, "stty raw; head -c 1000000 /dev/zero; exit 5", &heard);
    until_exit(hub, &heard);
    CHECK(heard.len == 1000 * 1000 && heard.exit.exit_code == 5);
    CHECK(atomic_load(&woken) > 0);
    OrchTimer *timer;
    OK(orch_timer_new(hub, NULL, &timer));
    OK(orch_timer_set(timer, 1000 * 1000));
    OrchEvent event = ORCH_INIT(OrchEvent);
    while (event.kind != ORCH_EVENT_TIMER) {
        OK(orch_hub_wait(hub, -1));
        OK(orch_hub_next_event(hub, &event));
    }
    orch_timer_free(timer);
    orch_session_free(heard.session);
    orch_hub_free(hub);
    CHECK(descriptors() == before);
    free(heard.text);
}

static void what_a_host_gave_is_dropped_once(void)
{
    OrchHubOptions options = ORCH_INIT(OrchHubOptions);
    options.flags = ORCH_HUB_THREADED;
    options.wake = count_up;
    options.wake_data = &dropped;
    options.wake_drop = count_up;
    dropped = 0;
    options.pool_bytes = 1; /* So that it fails. */
    OrchHub *hub;
    ANSWERS(ORCH_INVALID, orch_hub_new(&options, &hub));
    CHECK(atomic_load(&dropped) == 0);
    options.pool_bytes = 0;
    options.wake_data = &woken;
    woken = 0;
    OK(orch_hub_new(&options, &hub));
    orch_hub_free(hub);
    CHECK(atomic_load(&woken) == 1);
}

static void *type_for_ever(void *user_data)
{
    Heard *heard = (Heard *)user_data;
    size_t taken, typed = 0;
    while (typed < 2000) {
        OrchStatus status = orch_session_write(heard->session, (const uint8_t *)"x\n", 2, &taken);
        if (status == ORCH_OK)
            typed++;
        else
            CHECK(status == ORCH_AGAIN);
        OrchSessionStatus known = ORCH_INIT(OrchSessionStatus);
        OK(orch_session_status(heard->session, &known));
    }
    return NULL;
}

static void two_threads_share_a_hub(void)
{
    for (uint32_t flags = 0; flags <= ORCH_HUB_THREADED; flags++) {
        OrchHubOptions options = ORCH_INIT(OrchHubOptions);
        options.flags = flags;
        OrchHub *hub;
        OK(orch_hub_new(&options, &hub));
        Heard heard = {0};
        heard.session = spawn_script(hub, "stty raw -echo; echo ready; head -c 4000 | tr x y; sleep 100", &heard);
        until_text(hub, &heard, "ready");
        pthread_t typist;
        CHECK(pthread_create(&typist, NULL, type_for_ever, &heard) == 0);
        size_t begin = heard.len;
        while (heard.len < begin + 4000)
            turn(hub);
        CHECK(pthread_join(typist, NULL) == 0);
        for (size_t at = begin; at < begin + 4000; at++)
            CHECK(heard.text[at] == ((at - begin) % 2 ? '\n' : 'y'));
        orch_session_free(heard.session);
        orch_hub_free(hub);
        free(heard.text);
    }
}

static void metrics_are_a_struct_and_a_text(void)
{
    OrchHub *hub = new_hub();
    Heard heard = {0};
    heard.session = spawn_script(hub, "echo hello", &heard);
    until_exit(hub, &heard);
    OrchMetrics metrics = ORCH_INIT(OrchMetrics);
    OK(orch_hub_metrics(hub, &metrics));
    CHECK(metrics.sessions == 1 && metrics.output_bytes == 7 && metrics.spawn_p50_ns > 0);
    size_t len = 0;
    ANSWERS(ORCH_TOO_SMALL, orch_hub_metrics_text(hub, NULL, 0, &len));
    CHECK(len > 1000);
    char *text = (char *)malloc(2 * len);
    OK(orch_hub_metrics_text(hub, text, 2 * len, &len));
    text[len] = 0;
    CHECK(strstr(text, "terminal_output_bytes_total 7") != NULL);
    free(text);
    orch_session_free(heard.session);
    orch_hub_free(hub);
    free(heard.text);
}

static const Test tests[] = {
    TEST(the_descriptor_is_silent_while_nothing_happens),
    TEST(the_descriptor_stays_readable_until_events_are_taken),
    TEST(timers_follow_the_hub_s_clock),
    TEST(what_was_made_of_a_hub_outlives_it),
    TEST(a_threaded_hub_wakes_its_host),
    TEST(what_a_host_gave_is_dropped_once),
    TEST(two_threads_share_a_hub),
    TEST(metrics_are_a_struct_and_a_text),
};
RUN(tests)
