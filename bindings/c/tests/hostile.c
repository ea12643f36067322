/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Hosts that do what no host should, and what some must: fork, unload the library, interrupt it, free while it works; and a panic inside. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "play.h"

static void handles_of_a_fork_say_so_and_can_be_freed(void)
{
    for (uint32_t flags = 0; flags <= ORCH_HUB_THREADED; flags++) {
        OrchHubOptions options = ORCH_INIT(OrchHubOptions);
        options.flags = flags;
        OrchHub *hub;
        OK(orch_hub_new(&options, &hub));
        Heard heard = {0};
        heard.session = spawn_script(hub, "echo ready; read line; echo \"got $line\"", &heard);
        OrchReader *reader;
        OK(orch_reader_new(heard.session, NULL, &reader));
        OrchTimer *timer;
        OK(orch_timer_new(hub, NULL, &timer));
        OK(orch_timer_set(timer, 1000 * 1000 * 1000));
        until_text(hub, &heard, "ready");
        fflush(NULL);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            OrchBytes bytes;
            OrchEvent event = ORCH_INIT(OrchEvent);
            OrchSessionStatus status = ORCH_INIT(OrchSessionStatus);
            OrchSession *another;
            size_t taken;
            ANSWERS(ORCH_FORKED, orch_hub_dispatch(hub, 0));
            ANSWERS(ORCH_FORKED, orch_hub_wait(hub, 0));
            ANSWERS(ORCH_FORKED, orch_hub_next_event(hub, &event));
            ANSWERS(ORCH_FORKED, orch_session_spawn(hub, NULL, &another));
            ANSWERS(ORCH_FORKED, orch_session_peek(heard.session, &bytes, NULL));
            ANSWERS(ORCH_FORKED, orch_session_write(heard.session, (const uint8_t *)"no\n", 3, &taken));
            ANSWERS(ORCH_FORKED, orch_session_status(heard.session, &status));
            ANSWERS(ORCH_FORKED, orch_reader_peek(reader, &bytes, NULL));
            ANSWERS(ORCH_FORKED, orch_timer_set(timer, 1));
            CHECK(orch_hub_fd(hub) == -1);
            says(ORCH_FORKED, "fork");
            orch_reader_free(reader);
            orch_timer_free(timer);
            orch_session_free(heard.session);
            orch_hub_free(hub);
            free(heard.text);
            /* What it makes itself is its own. */
            OrchHub *own = new_hub();
            Heard mine = {0};
            mine.session = spawn_script(own, "exit 9", &mine);
            until_exit(own, &mine);
            CHECK(mine.exit.exit_code == 9);
            orch_session_free(mine.session);
            orch_hub_free(own);
            free(mine.text);
            /* Not by an exit of its own: what the parent's threads hold would count as lost here. */
            execl("/bin/true", "true", (char *)NULL);
            _exit(1);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
        type_text(heard.session, "yes\n"); /* The parent's goes on. */
        until_exit(hub, &heard);
        CHECK(strstr(heard.text, "got yes") != NULL && strstr(heard.text, "got no") == NULL);
        orch_timer_free(timer);
        orch_reader_free(reader);
        orch_session_free(heard.session);
        orch_hub_free(hub);
        free(heard.text);
    }
}

static void *load_use_and_unload(void *path)
{
    void *library = dlopen((const char *)path, RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    OrchStatus (*hub_new)(const OrchHubOptions *, OrchHub **);
    OrchStatus (*last_error)(OrchError *);
    void (*hub_free)(OrchHub *);
    *(void **)&hub_new = dlsym(library, "orch_hub_new");
    *(void **)&last_error = dlsym(library, "orch_last_error");
    *(void **)&hub_free = dlsym(library, "orch_hub_free");
    OrchHub *hub;
    CHECK(hub_new(NULL, NULL) == ORCH_NULL); /* Thread-locals are in use now. */
    OrchError error = ORCH_INIT(OrchError);
    CHECK(last_error(&error) == ORCH_OK && error.status == ORCH_NULL);
    CHECK(hub_new(NULL, &hub) == ORCH_OK);
    hub_free(hub);
    CHECK(dlclose(library) == 0);
    return NULL;
}

static void a_library_that_is_unloaded_in_a_thread_does_no_harm(void)
{
    Dl_info info;
    void *function;
    *(OrchStatus (**)(OrchError *)) &function = orch_last_error;
    CHECK(dladdr(function, &info) != 0);
    for (int at = 0; at < 3; at++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, load_use_and_unload, (void *)info.dli_fname) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
}

static atomic_int alarms;

static void count_alarm(int signal)
{
    (void)signal;
    atomic_fetch_add(&alarms, 1);
}

static void signals_at_a_kilohertz_change_nothing(void)
{
    struct sigaction action, before;
    memset(&action, 0, sizeof(action));
    action.sa_handler = count_alarm; /* Without SA_RESTART: every call of the system may be interrupted. */
    CHECK(sigaction(SIGVTALRM, &action, &before) == 0);
    timer_t timer;
    struct sigevent event;
    memset(&event, 0, sizeof(event));
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGVTALRM;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    struct itimerspec often = {.it_interval = {.tv_nsec = 1000 * 1000}, .it_value = {.tv_nsec = 1000 * 1000}};
    CHECK(timer_settime(timer, 0, &often, NULL) == 0);
    OrchHub *hub = new_hub();
    for (int at = 0; at < 20; at++) {
        Heard heard = {0};
        heard.session = spawn_script(hub, "stty raw -echo; echo ready; head -c 1000; head -c 200000 /dev/zero; exit 2", &heard);
        while (heard.text == NULL || strstr(heard.text, "ready") == NULL || !heard.exited) {
            if (heard.len == 6) {
                uint8_t data[1000];
                memset(data, 'x', sizeof(data));
                size_t taken;
                OK(orch_session_write(heard.session, data, sizeof(data), &taken));
                hear(&heard, (OrchBytes){(const uint8_t *)"!", 1});
            }
            OrchStatus status = orch_hub_wait(hub, 10 * 1000 * 1000);
            CHECK(status == ORCH_OK || status == ORCH_AGAIN || status == ORCH_TIMED_OUT);
            OrchEvent told = ORCH_INIT(OrchEvent);
            while (orch_hub_next_event(hub, &told) == ORCH_OK) {
                if (told.kind == ORCH_EVENT_OUTPUT)
                    drain(&heard);
                if (told.kind == ORCH_EVENT_EXIT) {
                    drain(&heard);
                    heard.exited = true;
                    heard.exit = told;
                }
            }
        }
        CHECK(heard.len == 6 + 1 + 1000 + 200 * 1000 && heard.exit.exit_code == 2);
        orch_session_free(heard.session);
        free(heard.text);
    }
    orch_hub_free(hub);
    CHECK(timer_delete(timer) == 0);
    CHECK(sigaction(SIGVTALRM, &before, NULL) == 0);
    CHECK(atomic_load(&alarms) > 10);
}

static void a_host_s_signals_and_children_are_its_own(void)
{
    struct sigaction before, after;
    int watched[] = {SIGCHLD, SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGALRM};
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(17);
    for (size_t at = 0; at < sizeof(watched) / sizeof(watched[0]); at++) {
        CHECK(sigaction(watched[at], NULL, &before) == 0);
        OrchHub *hub = new_hub();
        Heard heard = {0};
        heard.session = spawn_script(hub, "exit 1", &heard);
        until_exit(hub, &heard);
        orch_session_free(heard.session);
        orch_hub_free(hub);
        free(heard.text);
        CHECK(sigaction(watched[at], NULL, &after) == 0);
        CHECK(before.sa_handler == after.sa_handler);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 17); /* Nobody has waited for it. */
}

static void *peek_for_ever(void *user_data)
{
    Heard *heard = (Heard *)user_data;
    OrchBytes first, second;
    for (int at = 0; at < 20000; at++) {
        OrchStatus status = orch_session_peek(heard->session, &first, &second);
        CHECK(status == ORCH_OK || status == ORCH_AGAIN || status == ORCH_EOF);
        OrchStatus consumed = orch_session_consume(heard->session, status == ORCH_OK ? 1 : 0);
        CHECK(consumed == ORCH_OK || consumed == ORCH_INVALID); /* Another may have ended the loan. */
    }
    return NULL;
}

static void two_threads_on_everything_get_a_status_each_time(void)
{
    OrchHub *hub = new_hub();
    Heard heard = {0};
    heard.session = spawn_script(hub, "stty raw; head -c 300000 /dev/zero; sleep 100", &heard);
    pthread_t threads[2];
    for (int at = 0; at < 2; at++)
        CHECK(pthread_create(&threads[at], NULL, peek_for_ever, &heard) == 0);
    for (int at = 0; at < 2000; at++) {
        CHECK(orch_hub_dispatch(hub, 4096) >= 0);
        OrchEvent event = ORCH_INIT(OrchEvent);
        while (orch_hub_next_event(hub, &event) == ORCH_OK)
            ;
    }
    for (int at = 0; at < 2; at++)
        CHECK(pthread_join(threads[at], NULL) == 0);
    orch_hub_free(hub); /* Before its session. */
    orch_session_free(heard.session);
}

#ifdef ORCH_TEST_PANICS
OrchStatus orch_hub_panic(OrchHub *hub);

static char logged[1024];
static atomic_int log_drops;

static void keep_log(void *user_data, const char *text)
{
    CHECK(user_data == logged);
    strncpy(logged, text, sizeof(logged) - 1);
}

static void drop_log(void *user_data)
{
    CHECK(user_data == logged);
    atomic_fetch_add(&log_drops, 1);
}

static void a_panic_becomes_a_status_and_is_logged_and_not_printed(void)
{
    int before = descriptors();
    char path[] = "/tmp/orchflow-panic-XXXXXX";
    int file = mkstemp(path), saved = dup(2);
    CHECK(file >= 0 && saved >= 0 && dup2(file, 2) == 2);
    OrchHubOptions options = ORCH_INIT(OrchHubOptions);
    options.log = keep_log;
    options.log_data = logged;
    options.log_drop = drop_log;
    OrchHub *hub;
    OK(orch_hub_new(&options, &hub));
    Heard heard = {0};
    heard.session = spawn_script(hub, "echo ready; sleep 100", &heard);
    ANSWERS(ORCH_PANIC, orch_hub_panic(hub));
    says(ORCH_PANIC, "as asked");
    CHECK(strstr(logged, "as asked") != NULL);
    ANSWERS(ORCH_PANIC, orch_hub_dispatch(hub, 0)); /* It is broken, */
    says(ORCH_PANIC, "earlier");
    OrchSessionStatus status = ORCH_INIT(OrchSessionStatus);
    OK(orch_session_status(heard.session, &status)); /* and nothing else is. */
    orch_session_free(heard.session);
    orch_hub_free(hub);
    CHECK(atomic_load(&log_drops) == 1);
    CHECK(lseek(2, 0, SEEK_END) == 0 && dup2(saved, 2) == 2);
    close(saved);
    close(file);
    unlink(path);
    CHECK(descriptors() == before);
}
#endif

static const Test tests[] = {
    TEST(handles_of_a_fork_say_so_and_can_be_freed),
    TEST(a_library_that_is_unloaded_in_a_thread_does_no_harm),
    TEST(signals_at_a_kilohertz_change_nothing),
    TEST(a_host_s_signals_and_children_are_its_own),
    TEST(two_threads_on_everything_get_a_status_each_time),
#ifdef ORCH_TEST_PANICS
    TEST(a_panic_becomes_a_status_and_is_logged_and_not_printed),
#endif
};
RUN(tests)
